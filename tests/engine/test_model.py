"""Whatever MODEL may be, it ends as a model that paints, or as one sentence that says what to do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from domain import ModelUnavailable
from engine.checkpoint.download import fetch
from engine.checkpoint.published import HubFile, hub_name
from engine.sampling import model as model_module
from engine.sampling.model import LoadedModel, find_folder, load_model
from scripts.random_checkpoint import EMA_SHIFT, build_random_checkpoint
from scripts.random_model import build_random_model

pytestmark = pytest.mark.pipeline


@pytest.fixture
def folder(tmp_path: Path, tiny_model_dir: Path) -> Path:
    return shutil.copytree(tiny_model_dir, tmp_path / "copy")


def test_a_folders_profile_comes_from_its_own_configuration(tiny_model: LoadedModel):
    profile = tiny_model.profile
    assert profile.unit == 16
    assert profile.shapes == {"portrait": (64, 80), "square": (64, 64), "landscape": (80, 64)}
    assert (profile.token_window, profile.max_tokens) == (75, 225)
    assert profile.scheduler == "dpm++2m"
    assert profile.scheduler in profile.schedulers
    assert profile.display_scale == 2
    assert not profile.identity.is_demo


def test_prediction_type_and_scheduler_are_the_models_own(tmp_path: Path):
    folder = build_random_model(tmp_path / "v", prediction_type="v_prediction")
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({**config, "_class_name": "DDIMScheduler"}))
    model = load_model(str(folder))
    assert model.scheduler_config["prediction_type"] == "v_prediction"
    assert model.profile.scheduler == "ddim"


@pytest.mark.parametrize(
    ("native", "portrait", "unit", "scale"),
    [(512, (512, 768), 64, 1), (128, (128, 160), 32, 2), (256, (256, 320), 64, 1)],
)
def test_shapes_suit_the_native_size(native: int, portrait: tuple[int, int], unit: int, scale: int):
    from types import SimpleNamespace

    levels = 3 if native == 128 else 4
    unet = SimpleNamespace(config=SimpleNamespace(sample_size=native // 8, block_out_channels=[32] * levels))
    vae = SimpleNamespace(config=SimpleNamespace(block_out_channels=[32] * 4))
    identity = model_module.ModelIdentity(name="a", sha256="b")
    profile = model_module.make_profile(identity, unet, vae, SimpleNamespace(model_max_length=77), {})
    assert (profile.shapes["portrait"], profile.unit, profile.display_scale) == (portrait, unit, scale)
    assert profile.shapes["landscape"] == portrait[::-1]
    for width, height in profile.shapes.values():
        assert width % unit == height % unit == 0
        assert profile.min_side <= min(width, height) <= max(width, height) <= profile.max_side
        assert width * height <= profile.max_pixels


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_part_has_the_dtype_that_was_asked_for(tmp_path: Path, dtype: str):
    model = load_model(str(build_random_model(tmp_path, dtype="float16")), dtype=dtype)
    wanted = getattr(torch, dtype)
    assert model.unet.dtype == model.vae.dtype == model.text_encoder.dtype == wanted
    assert model.profile.identity.dtype == dtype


def test_the_dtype_suits_processor_and_model(folder: Path, monkeypatch: pytest.MonkeyPatch):
    config = folder / "unet" / "config.json"
    small = config.read_text()
    cases = [(True, True, "bfloat16"), (True, False, "float32"), (False, True, "float32")]
    for has_instructions, is_full_size, wanted in cases:
        config.write_text(json.dumps(json.loads(small) | ({"sample_size": 64} if is_full_size else {})))
        able = {"avx512_bf16": has_instructions}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert load_model(str(folder), device="cpu").profile.identity.dtype == wanted


def test_a_checkpoint_is_known_by_its_own_hash(tmp_path: Path):
    path = build_random_checkpoint(tmp_path / "mine.ckpt", "full")
    model = load_model(str(path))
    identity = model.profile.identity
    assert identity.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (identity.name, identity.weights) == ("mine", "ema")
    raw = load_model(str(path), weights="raw")
    assert raw.profile.identity.weights == "raw"
    difference = model.unet.conv_in.weight - raw.unet.conv_in.weight
    assert torch.allclose(difference, torch.full_like(difference, EMA_SHIFT))


def test_a_folder_is_known_by_its_weights(folder: Path, tiny_model: LoadedModel):
    same = load_model(str(folder)).profile.identity
    assert same.sha256 == tiny_model.profile.identity.sha256
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)
    assert load_model(str(folder)).profile.identity.sha256 != same.sha256


def test_no_model_setting_means_the_demo_model(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model_module, "DEMO_FOLDER", folder)
    identity = load_model(None).profile.identity
    assert identity.is_demo
    assert identity.name == "demo model"


def test_a_wrong_path_names_what_may_stand_there(tmp_path: Path):
    with pytest.raises(ModelUnavailable, match=r"There is no model at .*absent.*wd-v1-3-float16"):
        load_model(str(tmp_path / "absent"))
    with pytest.raises(ModelUnavailable, match="not a diffusers folder"):
        load_model(str(tmp_path))


def test_weights_that_are_not_numbers_are_named(folder: Path):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights["conv_in.weight"][0] = float("nan")
    save_file(weights, path)
    with pytest.raises(ModelUnavailable, match=r"NaN or infinity in conv_in\.weight"):
        load_model(str(folder))


def test_missing_weights_are_named(folder: Path):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    del weights["conv_in.weight"]
    save_file(weights, path)
    with pytest.raises(ModelUnavailable, match=r"unet .*conv_in\.weight"):
        load_model(str(folder))


def test_a_pickle_in_a_folder_is_not_loaded(folder: Path):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    with pytest.raises(ModelUnavailable, match=r"unet in .* may hold code and is not opened"):
        load_model(str(folder))


def test_a_truncated_folder_says_which_part(folder: Path):
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match=r"vae in .* can't be loaded"):
        load_model(str(folder))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_named(tiny_model_dir: Path):
    with pytest.raises(ModelUnavailable, match="no CUDA device"):
        load_model(str(tiny_model_dir), device="cuda")


class Hub(BaseHTTPRequestHandler):
    """Answers as the model hub does for one file; counts the bytes it sent."""

    content = b""
    sent = 0

    def do_HEAD(self) -> None:
        self._head(200, len(self.content))

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        body = self.content[start:]
        self._head(206 if start else 200, len(body))
        self.wfile.write(body)
        type(self).sent += len(body)

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.content, Hub.sent = os.urandom(100_000), 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def wanted(sha256: str) -> dict[str, HubFile]:
    return {"small": HubFile("someone/small", "small.ckpt", sha256)}


def test_a_published_file_is_fetched_once_and_checked(tmp_path: Path, hub: str):
    files = wanted(hashlib.sha256(Hub.content).hexdigest())
    path = fetch("small", tmp_path, files=files, endpoint=hub)
    assert path.read_bytes() == Hub.content
    sent = Hub.sent
    assert fetch("small", tmp_path, files=files, endpoint=hub) == path
    assert Hub.sent == sent


def test_a_file_with_another_hash_is_deleted_and_named(tmp_path: Path, hub: str):
    with pytest.raises(ModelUnavailable, match="it was deleted"):
        fetch("small", tmp_path, files=wanted("0" * 64), endpoint=hub)
    assert not (tmp_path / "small.ckpt").exists()


def test_without_a_network_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # the library tries again after 1, 2, 4, 8 seconds
    with pytest.raises(ModelUnavailable, match="set MODEL to its path"):
        fetch("small", tmp_path, files=wanted("0" * 64), endpoint="http://127.0.0.1:9", timeout=1)


def test_published_names_are_known_with_and_without_their_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert hub_name("wd-v1-3-float16") == hub_name("wd-v1-3-float16.ckpt") == "wd-v1-3-float16"
    assert hub_name("somewhere/else.ckpt") is None
    monkeypatch.chdir(tmp_path)
    build_random_checkpoint(tmp_path / "wd-v1-3-full.ckpt", "full")
    assert find_folder("wd-v1-3-full.ckpt").parent == tmp_path.resolve()
