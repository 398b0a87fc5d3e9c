"""Every published layout loads with the right weights; nothing in a file is ever run; each defect is named."""

from __future__ import annotations

import json
import pickle
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from domain import ModelUnavailable
from engine.checkpoint.__main__ import main
from engine.checkpoint.archive import UnsafeCheckpoint, open_archive
from engine.checkpoint.hyperparameters import V1_INFERENCE, hyperparameters_yaml, read_hyperparameters
from engine.checkpoint.inspection import inspect
from engine.checkpoint.ldm_keys import ldm_keys
from engine.checkpoint.loading import ensure_converted, read_source
from engine.checkpoint.pickle_reader import read_pickle
from engine.checkpoint.safe_pickle import DAMAGED
from scripts.random_checkpoint import EMA_SHIFT, LAYOUTS, build_random_checkpoint, ldm_state_dict, save, with_ema
from scripts.random_model import SIZES, build_parts, hyperparameters

pytestmark = pytest.mark.pipeline

UNET = "unet/diffusion_pytorch_model.safetensors"
TINY = hyperparameters("tiny")
A_KEY = "model.diffusion_model.input_blocks.0.0.weight"


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, torch.Tensor]]:
    return {name: part.state_dict() for name, part in build_parts(TINY).items()}


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return ldm_state_dict(TINY)


def written(folder: Path, weights: dict[str, Any], name: str = "model.ckpt") -> Path:
    """A checkpoint of the tiny architecture with these weights."""
    path = folder / name
    save(path, {"state_dict": weights})
    path.with_suffix(".yaml").write_text(hyperparameters_yaml(TINY))
    return path


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_right_weights(tmp_path: Path, parts: Any, layout: str, legacy: bool):
    path = tmp_path / ("model.safetensors" if layout == "safetensors" else "model.ckpt")
    build_random_checkpoint(path, layout, legacy=legacy)
    folder = ensure_converted(path)
    shift = EMA_SHIFT if layout.startswith("full") else 0.0
    unet = load_file(folder / UNET)
    assert unet.keys() == parts["unet"].keys()
    for name, tensor in unet.items():
        expected = parts["unet"][name].half() if layout == "fp16" else parts["unet"][name] + shift
        assert torch.equal(tensor, expected), name
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(vae[name], tensor.to(vae[name].dtype)) for name, tensor in parts["vae"].items())
    source = read_source(folder)
    assert source is not None
    assert source.weights == ("ema" if layout.startswith("full") else "as stored")


def test_raw_weights_are_taken_only_when_asked_for(tmp_path: Path, parts: Any):
    path = build_random_checkpoint(tmp_path / "full.ckpt", "full")
    raw, averaged = ensure_converted(path, weights="raw"), ensure_converted(path, weights="ema")
    assert raw != averaged
    name = "conv_in.weight"
    assert torch.equal(load_file(raw / UNET)[name], parts["unet"][name])
    assert torch.equal(load_file(averaged / UNET)[name], parts["unet"][name] + EMA_SHIFT)


def test_names_agree_with_diffusers_own_converter():
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from engine.checkpoint.hyperparameters import unet_config, vae_config

    for size, numbers in SIZES.items():
        with torch.device("meta"):
            unet: Any = UNet2DConditionModel(**unet_config(numbers))
            vae: Any = AutoencoderKL(**vae_config(numbers))
        for part, model, convert in (
            ("unet", unet, convert_ldm_unet_checkpoint),
            ("vae", vae, convert_ldm_vae_checkpoint),
        ):
            names = ldm_keys(part, model.state_dict(), numbers)
            marks = {key: torch.full((1, 1, 1, 1), float(number)) for number, key in enumerate(names.values())}
            converted = convert(dict(marks), dict(model.config))
            assert converted.keys() == names.keys(), size
            assert all(converted[name].flatten() == marks[key].flatten() for name, key in names.items()), size


def test_the_second_start_takes_the_converted_folder(tmp_path: Path):
    path = build_random_checkpoint(tmp_path / "model.ckpt")
    folder = ensure_converted(path)
    made = (folder / UNET).stat().st_mtime_ns
    assert ensure_converted(path) == folder
    assert (folder / UNET).stat().st_mtime_ns == made
    assert not list(tmp_path.glob("*.partial-*"))


def test_a_changed_file_is_converted_again(tmp_path: Path):
    path = build_random_checkpoint(tmp_path / "model.ckpt", seed=0)
    first = ensure_converted(path)
    build_random_checkpoint(path, seed=1)
    second = ensure_converted(path)
    assert first != second
    assert not torch.equal(load_file(first / UNET)["conv_in.weight"], load_file(second / UNET)["conv_in.weight"])


class Evil:
    """Runs a command when it is unpickled by something that runs pickles."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        import os

        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_an_evil_pickle_is_refused_without_running(tmp_path: Path, weights: Any, legacy: bool):
    mark = tmp_path / "ran"
    path = tmp_path / "evil.ckpt"
    save(path, {"state_dict": weights, "callbacks": Evil(mark)}, legacy=legacy)
    with pytest.raises(UnsafeCheckpoint, match=r"posix\.system"):
        ensure_converted(path)
    report = inspect(path)
    assert report["refused"] == ["posix.system"]
    assert not mark.exists()


def test_a_bare_evil_pickle_is_refused_without_running(tmp_path: Path):
    mark = tmp_path / "ran"
    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(UnsafeCheckpoint, match=r"posix\.system"):
        open_archive(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
        b"(S'x'\nios\nsystem\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}U\x08__call__U\x01xs\x86b.",
        b"\x80\x02ccollections\nOrderedDict.mro\n.",
    ],
)
def test_hand_made_attacks_end_in_a_refusal_or_an_error(code: bytes):
    import io

    try:
        reading = read_pickle(io.BytesIO(code))
    except DAMAGED:
        return
    assert reading.refused


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_sentence(tmp_path: Path, data: bytes):
    path = tmp_path / "any.ckpt"
    for start in (b"", b"\x80\x02", b"PK\x03\x04"):
        path.write_bytes(start + data)
        with pytest.raises(ModelUnavailable):
            ensure_converted(path)


@pytest.mark.parametrize("layout", ["fp32", "safetensors"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_says_so(tmp_path: Path, layout: str, legacy: bool, share: float):
    path = build_random_checkpoint(tmp_path / "model.ckpt", layout, legacy=legacy)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelUnavailable, match="cut short"):
        ensure_converted(path)
    assert [entry for entry in tmp_path.iterdir() if entry.is_dir()] == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"hello, this is a text", "is not a checkpoint"),
        (b"<!DOCTYPE html><html>Log in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        (pickle.dumps({"a": 1}), "not one that torch saved"),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, content: bytes, sentence: str):
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=sentence):
        ensure_converted(path)


def test_a_zip_file_of_something_else_is_told_apart(tmp_path: Path):
    path = tmp_path / "model.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelUnavailable, match=r"no data\.pkl"):
        ensure_converted(path)


def test_a_missing_file_says_so(tmp_path: Path):
    with pytest.raises(ModelUnavailable, match="No such file"):
        ensure_converted(tmp_path / "absent.ckpt")


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"conditioner.embedders.0.x": 1, A_KEY: 1}, "Stable Diffusion XL"),
        ({"cond_stage_model.model.x": 1, A_KEY: 1}, "Stable Diffusion 2"),
        ({"lora_unet_x.lora_down.weight": 1}, "LoRA"),
        ({"decoder.conv_in.weight": 1, "encoder.conv_in.weight": 1}, "a VAE alone"),
        ({"some.weight": 1}, "not a Stable Diffusion 1.x checkpoint"),
        ({}, "holds no weights"),
    ],
)
def test_another_architecture_is_named(tmp_path: Path, keys: dict[str, int], what: str):
    path = written(tmp_path, {key: torch.zeros(side) for key, side in keys.items()})
    with pytest.raises(ModelUnavailable, match=what):
        ensure_converted(path)


def test_missing_weights_are_named(tmp_path: Path, weights: Any):
    path = written(tmp_path, {key: value for key, value in weights.items() if key != A_KEY})
    with pytest.raises(ModelUnavailable, match=f"lacks one weight: {A_KEY}"):
        ensure_converted(path)


def test_unexpected_weights_are_named(tmp_path: Path, weights: Any):
    path = written(tmp_path, {**weights, "model.diffusion_model.extra.weight": torch.zeros(1)})
    with pytest.raises(ModelUnavailable, match=r"model\.diffusion_model\.extra\.weight"):
        ensure_converted(path)


def test_misshapen_weights_are_named_with_both_shapes(tmp_path: Path, weights: Any):
    path = written(tmp_path, {**weights, A_KEY: torch.zeros(32, 9, 3, 3)})
    with pytest.raises(ModelUnavailable, match=r"input_blocks\.0\.0\.weight is float32 32×9×3×3, not 32×4×3×3"):
        ensure_converted(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_named(tmp_path: Path, weights: Any, value: float):
    broken = weights[A_KEY].clone()
    broken[0, 0, 0, 0] = value
    path = written(tmp_path, {**weights, A_KEY: broken})
    with pytest.raises(ModelUnavailable, match=r"input_blocks\.0\.0\.weight holds NaN"):
        ensure_converted(path)
    assert [entry for entry in tmp_path.iterdir() if entry.is_dir()] == []


def test_an_incomplete_average_is_never_replaced_by_raw_weights(tmp_path: Path, weights: Any):
    both = with_ema(weights)
    del both["model_ema.diffusion_modelinput_blocks00weight"]
    path = written(tmp_path, both)
    with pytest.raises(ModelUnavailable, match="WEIGHTS=raw"):
        ensure_converted(path)
    assert ensure_converted(path, weights="raw")


def test_views_and_shared_blocks_are_read_as_they_are(tmp_path: Path, weights: Any):
    transposed = weights[A_KEY].permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3)
    block = torch.cat([torch.zeros(5), weights["model.diffusion_model.out.2.bias"]])
    path = written(tmp_path, {**weights, A_KEY: transposed, "model.diffusion_model.out.2.bias": block[5:]})
    unet = load_file(ensure_converted(path) / UNET)
    assert torch.equal(unet["conv_in.weight"], weights[A_KEY])
    assert torch.equal(unet["conv_out.bias"], weights["model.diffusion_model.out.2.bias"])


def test_text_encoders_saved_without_the_inner_prefix_load_too(tmp_path: Path, weights: Any):
    short = {key.replace("transformer.text_model.", "transformer."): value for key, value in weights.items()}
    assert ensure_converted(written(tmp_path, short))


def test_without_a_yaml_beside_it_a_file_must_be_stable_diffusion_1(tmp_path: Path, weights: Any):
    path = written(tmp_path, weights)
    path.with_suffix(".yaml").unlink()
    with pytest.raises(ModelUnavailable, match="lacks"):
        ensure_converted(path)


def test_hyper_parameters_survive_their_file(tmp_path: Path):
    path = tmp_path / "x.yaml"
    for numbers in (V1_INFERENCE, *SIZES.values(), hyperparameters("mid", "v_prediction")):
        path.write_text(hyperparameters_yaml(numbers))
        assert read_hyperparameters(path) == numbers
    path.write_text("model: [1, 2")
    with pytest.raises(ModelUnavailable, match=r"x\.yaml is not laid out"):
        read_hyperparameters(path)


def test_inspect_and_convert_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = build_random_checkpoint(tmp_path / "model.ckpt", "full-opt")
    assert main(["inspect", str(path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ema"]
    assert report["format"] == "zip"
    assert "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint" in report["globals"]
    assert main(["convert", str(path), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "model_index.json").is_file()
    assert main(["convert", str(path), str(tmp_path / "out")]) == 1
    assert "exists already" in capsys.readouterr().err


def test_safetensors_with_a_lying_header_are_refused(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(4)}, path)
    data = path.read_bytes().replace(b"[4]", b"[9]")
    path.write_bytes(data)
    with pytest.raises(ModelUnavailable, match="reaches beyond"):
        open_archive(path)


@pytest.mark.slow
def test_fourteen_gigabytes_of_optimizer_are_never_read(tmp_path: Path):
    path = build_random_checkpoint(tmp_path / "full-opt.ckpt", "full-opt", optimizer_bytes=14 * 10**9)
    assert path.stat().st_size > 14 * 10**9
    code = (
        "import resource, sys; from pathlib import Path; from engine.checkpoint.archive import open_archive;"
        "from engine.checkpoint.loading import hyperparameters_of;"
        "from engine.checkpoint.conversion import make_plan, write_model;"
        "path = Path(sys.argv[1]); archive = open_archive(path); numbers = hyperparameters_of(path);"
        "write_model(archive, make_plan(archive, numbers), numbers, path.parent / 'out', {});"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, preexec_fn=_limit_memory
    )
    assert int(run.stdout.split()[-1]) < 2 * 2**20  # KiB
    assert torch.isfinite(load_file(tmp_path / "out" / UNET)["conv_in.weight"]).all()


def _limit_memory() -> None:
    """Six gigabytes of address space: a private mapping of the whole file would fail here."""
    resource.setrlimit(resource.RLIMIT_AS, (6 * 10**9, 6 * 10**9))
