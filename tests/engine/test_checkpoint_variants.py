"""Checkpoints that people share: extra keys, averaged weights alone, other nestings and dtypes; damage; leftovers."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from domain import ModelUnavailable
from engine.checkpoint.archive import open_archive
from engine.checkpoint.diffusers_folder import check_supported
from engine.checkpoint.hyperparameters import hyperparameters_yaml, read_hyperparameters
from engine.checkpoint.inspection import inspect
from engine.checkpoint.leftovers import STALE_SECONDS, sweep_partial
from engine.checkpoint.loading import ensure_converted
from engine.sampling.model import load_model
from scripts.random_checkpoint import EMA_SHIFT, ldm_state_dict, save, with_ema
from scripts.random_model import hyperparameters

pytestmark = pytest.mark.pipeline

TINY = hyperparameters("tiny")
UNET = "unet/diffusion_pytorch_model.safetensors"
A_KEY = "model.diffusion_model.input_blocks.0.0.weight"
TEXT = "cond_stage_model.transformer.text_model."


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return ldm_state_dict(TINY)


def written(folder: Path, value: dict[str, Any], name: str = "model.ckpt") -> Path:
    path = folder / name
    if name.endswith(".safetensors"):
        save_file({key: tensor.contiguous() for key, tensor in value.items()}, path)
    else:
        save(path, value)
    path.with_suffix(".yaml").write_text(hyperparameters_yaml(TINY), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "key",
    [
        "cond_stage_model.transformer.vision_model.embeddings.class_embedding",
        "first_stage_model.model_ema.decay",
        "first_stage_model.model_ema.encoderconv_inweight",
        "embedding_manager.string_to_param_dict.*",
        "denoiser.sigmas",
        "v_pred",
        "ztsnr",
        "a stray key",
        f"{TEXT}text_projection.weight",
        "cond_stage_model.transformer.encoder.layers.0.mlp.fc1.weight",
        "safety_checker.concept_embeds",
    ],
)
def test_what_nothing_reads_is_listed_and_ignored(
    tmp_path: Path, weights: dict[str, Any], key: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, {"state_dict": {**weights, key: torch.zeros(2)}})
    with caplog.at_level(logging.WARNING):
        unet = load_file(ensure_converted(path) / UNET)
    assert torch.equal(unet["conv_in.weight"], weights[A_KEY])
    report = inspect(path)
    assert report["problem"] is None
    if "text_projection" not in key:  # known beforehand
        assert report["ignored"] == [key]
        assert key in caplog.text


@pytest.mark.parametrize(
    "key",
    [
        "model.diffusion_model.label_emb.0.0.weight",
        "model.diffusion_model.input_blocks.99.0.weight",
        "first_stage_model.decoder.extra.weight",
        f"{TEXT}encoder.layers.77.mlp.fc1.weight",
        "control_model.zero_convs.0.0.weight",
    ],
)
def test_a_weight_that_would_change_pictures_is_refused(tmp_path: Path, weights: dict[str, Any], key: str) -> None:
    path = written(tmp_path, {"state_dict": {**weights, key: torch.zeros(2)}})
    with pytest.raises(ModelUnavailable, match=r"no Stable Diffusion 1\.x model has"):
        ensure_converted(path)


def averaged_alone(weights: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in with_ema(weights).items() if not key.startswith("model.diffusion_model.")}


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors"])
def test_the_averaged_copy_alone_is_enough(tmp_path: Path, weights: dict[str, Any], name: str) -> None:
    path = written(tmp_path, averaged_alone(weights), name)
    unet = load_file(ensure_converted(path) / UNET)
    assert torch.equal(unet["conv_in.weight"], weights[A_KEY] + EMA_SHIFT)
    with pytest.raises(ModelUnavailable, match=r"averaged weights alone\. Set WEIGHTS=ema"):
        ensure_converted(path, weights="raw")


@pytest.mark.parametrize(
    "nest",
    [
        lambda weights: {"model": weights},
        lambda weights: {"module": weights},
        lambda weights: {"state_dict": {"state_dict": weights}},
        lambda weights: {"epoch": 3, "model_state_dict": weights},
        lambda weights: {"state_dict": {f"module.{key}": value for key, value in weights.items()}},
    ],
    ids=["model", "module", "twice", "model_state_dict", "prefixed"],
)
def test_other_nestings_are_read(tmp_path: Path, weights: dict[str, Any], nest: Any) -> None:
    unet = load_file(ensure_converted(written(tmp_path, nest(weights))) / UNET)
    assert torch.equal(unet["conv_in.weight"], weights[A_KEY])


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors"])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint16])
def test_a_dtype_that_can_not_be_painted_with_is_named(
    tmp_path: Path, weights: dict[str, Any], name: str, dtype: torch.dtype
) -> None:
    path = written(tmp_path, {**weights, A_KEY: weights[A_KEY].to(dtype)}, name)
    with pytest.raises(ModelUnavailable, match=str(dtype).removeprefix("torch.")) as caught:
        ensure_converted(path)
    assert "float16" in str(caught.value)
    assert "damaged" not in str(caught.value)


def test_an_unknown_dtype_of_safetensors_is_named(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(ModelUnavailable, match="stores numbers as F4"):
        open_archive(path)


@pytest.mark.parametrize(
    ("channels", "what"), [(9, "inpainting"), (8, "by instruction"), (5, "depth"), (6, "other inputs")]
)
def test_models_of_other_inputs_are_named(tmp_path: Path, weights: dict[str, Any], channels: int, what: str) -> None:
    path = written(tmp_path, {**weights, A_KEY: torch.zeros(32, channels, 3, 3)})
    with pytest.raises(ModelUnavailable, match=what) as caught:
        ensure_converted(path)
    assert ".yaml" not in str(caught.value)


def test_a_marked_v_prediction_model_asks_for_its_numbers(tmp_path: Path, weights: dict[str, Any]) -> None:
    path = written(tmp_path, {**weights, "v_pred": torch.zeros(1)})
    path.with_suffix(".yaml").unlink()
    with pytest.raises(ModelUnavailable, match="parameterization: v"):
        ensure_converted(path)


# ---- damage --------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_is_found_wherever_it_lies(tmp_path: Path, weights: dict[str, Any]) -> None:
    path = written(tmp_path, {"state_dict": weights})
    with zipfile.ZipFile(path) as archive:
        block = max(archive.infolist(), key=lambda entry: entry.file_size)
        table = next(entry for entry in archive.infolist() if entry.filename.endswith("data.pkl"))
    whole = path.read_bytes()
    dice = random.Random(4)
    places = [block.header_offset + 200 + dice.randrange(block.file_size - 200) for _ in range(4)]
    places += [table.header_offset + 200 + dice.randrange(table.file_size - 200) for _ in range(4)]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(ModelUnavailable, match=r"checksum|damaged"):
            ensure_converted(path, cache=tmp_path / "converted")


def test_a_file_whose_writer_left_the_checksums_out_is_read(tmp_path: Path, weights: dict[str, Any]) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = written(tmp_path, {"state_dict": weights})
    finally:
        torch.serialization.set_crc32_options(True)
    assert ensure_converted(path)


@pytest.mark.parametrize(
    "shape",
    ["[1" + ",1" * 40 + "]", "[-1]", "[4.5]", "[true]", '["4"]', f"[{2**70}]", "4"],
    ids=["many sides", "negative", "fraction", "bool", "text", "huge", "no list"],
)
def test_a_shape_that_makes_no_sense_is_damage(tmp_path: Path, shape: str) -> None:
    header = f'{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,16]}}}}'.encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(ModelUnavailable, match="cut short or damaged"):
        open_archive(path)


def test_a_view_that_lies_over_the_whole_file_is_refused(tmp_path: Path) -> None:
    block = torch.zeros(2**20)
    save(tmp_path / "model.ckpt", {"a": block[:: 2**18]})
    with pytest.raises(ModelUnavailable, match="lies over"):
        open_archive(tmp_path / "model.ckpt")


@pytest.mark.parametrize("key", ["\ud800", "\x1b[2J", "a\nb"])
def test_keys_that_no_console_shows_are_escaped(tmp_path: Path, key: str) -> None:
    path = written(tmp_path, {key: torch.zeros(1)})
    report = inspect(path)
    assert report["problem"].isprintable()
    run = subprocess.run(
        [sys.executable, "-m", "engine.checkpoint", "convert", str(path), str(tmp_path / "out")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert run.returncode == 1
    assert b"Traceback" not in run.stderr
    assert b"\x1b" not in run.stderr


# ---- leftovers -----------------------------------------------------------------------------------------------------


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leftover(folder: Path, name: str, age: float = 0) -> Path:
    path = folder / name
    (path / "unet").mkdir(parents=True)
    (path / "unet" / "half").write_bytes(b"x")
    for one in (path / "unet" / "half", path / "unet", path):
        moment = one.stat().st_mtime - age
        os.utime(one, (moment, moment))
    return path


def test_what_stopped_conversions_left_is_swept_and_running_ones_are_not(tmp_path: Path) -> None:
    gone, host = ended_process(), socket.gethostname().replace("-", "").replace(".", "")
    over = [
        leftover(tmp_path, f"wd-ema.partial-{gone}"),
        leftover(tmp_path, f"wd-raw.partial-{host}-{gone}-abc_12"),
        leftover(tmp_path, f"far.partial-elsewhere-{os.getpid()}-x", STALE_SECONDS + 60),
    ]
    kept = [
        leftover(tmp_path, f"wd.partial-{os.getppid()}"),
        leftover(tmp_path, f"wd.partial-{host}-{os.getpid()}-y"),
        leftover(tmp_path, f"far.partial-elsewhere-{gone}-x"),
        leftover(tmp_path, "wd-ema"),
        leftover(tmp_path, "novel.partial-draft", STALE_SECONDS + 60),
    ]
    sweep_partial(tmp_path)
    assert not any(path.exists() for path in over)
    assert all(path.exists() for path in kept)


def test_a_conversion_sweeps_first(tmp_path: Path, weights: dict[str, Any]) -> None:
    left = leftover(tmp_path, f"model-ema.partial-{ended_process()}")
    folder = ensure_converted(written(tmp_path, weights))
    assert not left.exists()
    assert not list(tmp_path.glob("*.partial-*"))
    (tmp_path / "like any other").mkdir()
    assert folder.stat().st_mode == (tmp_path / "like any other").stat().st_mode


# ---- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "values", "what"),
    [
        ("unet/config.json", {"in_channels": 9}, "inpainting"),
        ("unet/config.json", {"in_channels": 8}, "by instruction"),
        ("unet/config.json", {"out_channels": 8}, "writes 8 channels"),
        ("unet/config.json", {"class_embed_type": "timestep"}, "a class or a noise level"),
        ("unet/config.json", {"addition_embed_type": "text_time"}, "Stable Diffusion XL"),
        ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "Stable Diffusion XL"),
        ("model_index.json", {"_class_name": "StableDiffusion3Pipeline"}, "another family"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow_prediction"}, "flow-matching"),
        ("scheduler/scheduler_config.json", {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "flow-matching"),
        ("scheduler/scheduler_config.json", {"prediction_type": "velocity"}, "predicts 'velocity'"),
        ("vae/config.json", {"shift_factor": 0.1}, "moves its latents"),
        ("vae/config.json", {"latents_mean": [0, 0, 0, 0]}, "moves its latents"),
        ("vae/config.json", {"latent_channels": 16}, "4 input channels for 16"),
    ],
)
def test_a_folder_with_which_every_picture_would_fail_is_refused_at_start(
    tmp_path: Path, tiny_model_dir: Path, file: str, values: dict[str, Any], what: str
) -> None:
    for name in ("unet/config.json", "vae/config.json", "scheduler/scheduler_config.json", "model_index.json"):
        held = json.loads((tiny_model_dir / name).read_text(encoding="utf-8"))
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(held | (values if name == file else {})), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match=what):
        load_model(str(tmp_path))


def test_the_usual_folders_are_supported(tiny_model_dir: Path) -> None:
    check_supported(tiny_model_dir)


def test_a_folder_of_pickled_weights_gets_advice(tmp_path: Path, tiny_model_dir: Path) -> None:
    for path in tiny_model_dir.rglob("*"):
        target = tmp_path / path.relative_to(tiny_model_dir)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.with_suffix(".bin" if path.suffix == ".safetensors" else path.suffix).write_bytes(path.read_bytes())
    with pytest.raises(ModelUnavailable, match=r"\.bin only, which may hold code"):
        load_model(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    ["[" * 5_000, "- 1", "model: 5", "model: {params: []}", "a: &a [*a]", "\ud800".encode("utf-8", "surrogatepass")],
)
def test_numbers_that_make_no_sense_are_one_sentence(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "model.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelUnavailable, match=r"not laid out like"):
        read_hyperparameters(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "nothing", ""])
def test_a_folder_with_a_damaged_configuration_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(text)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="missing or damaged"):
        load_model(str(tmp_path))
