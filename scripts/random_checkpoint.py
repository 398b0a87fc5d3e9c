"""Random weights in the single-file layouts of Stable Diffusion 1.x, for tests of the checkpoint loader.

    python -m scripts.random_checkpoint FILE --layout full-opt --size tiny

Layouts: `fp16` and `fp32` (averaged weights alone), `full` (both copies: the EMA one is the other, shifted by
EMA_SHIFT), `full-opt` (with optimizer states and Lightning's and numpy's objects), `safetensors`. Beside FILE lies a
`.yaml` with the hyper-parameters where they differ from v1-inference.
"""

from __future__ import annotations

import argparse
import struct
import sys
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_CUR
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

from engine.checkpoint.hyperparameters import V1_INFERENCE, Hyperparameters, hyperparameters_yaml
from engine.checkpoint.ldm_keys import ema_key, ldm_keys
from scripts.random_model import SIZES, build_parts, hyperparameters

LAYOUTS = ("fp16", "fp32", "full", "full-opt", "safetensors")
EMA_SHIFT = 0.125  # exact in float16 too
_MARKER = 77_777  # elements of the block that `optimizer_bytes` grows


def build_random_checkpoint(
    path: Path,
    layout: str = "fp32",
    size: str = "tiny",
    *,
    legacy: bool = False,
    seed: int = 0,
    optimizer_bytes: int = 0,
) -> Path:
    """Write one checkpoint and its `.yaml`; `legacy` uses torch's older stream instead of its zip archive.

    `optimizer_bytes` appends that many bytes of optimizer state to `full-opt` as a hole, so that a file of 14 GB takes
    no room on the disk.
    """
    numbers = hyperparameters(size)
    weights = ldm_state_dict(numbers, seed, "float16" if layout == "fp16" else "float32")
    if layout.startswith("full"):
        weights = with_ema(weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    if numbers != V1_INFERENCE:
        path.with_suffix(".yaml").write_text(hyperparameters_yaml(numbers), encoding="utf-8")
    if layout == "safetensors":
        _save_safetensors(path, weights)
    elif layout == "full-opt":
        _save_with_optimizer(path, weights, legacy, optimizer_bytes)
    else:
        save(path, {"state_dict": weights, "global_step": 7}, legacy=legacy)
    return path


def ldm_state_dict(numbers: Hyperparameters, seed: int = 0, dtype: str = "float32") -> dict[str, Any]:
    """The weights of `build_parts` under CompVis' names, with the buffers that the original files carry."""
    import torch

    weights: dict[str, Any] = OrderedDict()
    for part, model in build_parts(numbers, seed, dtype).items():
        tensors = model.state_dict()
        for name, key in ldm_keys(part, tensors, numbers).items():
            tensor = tensors[name]
            linear = part == "vae" and ".attn_1." in key and tensor.ndim == 2
            weights[key] = tensor[:, :, None, None] if linear else tensor
    weights["betas"] = torch.linspace(numbers.linear_start, numbers.linear_end, numbers.timesteps)
    weights["alphas_cumprod"] = torch.cumprod(1 - weights["betas"], 0)
    weights["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return weights


def with_ema(weights: dict[str, Any]) -> dict[str, Any]:
    """The weights with an averaged copy of the UNet, shifted by EMA_SHIFT so that the two can be told apart."""
    import torch

    unet = [key for key in weights if key.startswith("model.diffusion_model.")]
    averaged = {ema_key(key): weights[key] + EMA_SHIFT for key in unet}
    bookkeeping = {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7)}
    return OrderedDict({**weights, **averaged, **bookkeeping})


def save(path: Path, value: Any, *, legacy: bool = False) -> None:
    """torch.save in one of its two formats."""
    import torch

    torch.save(value, path, _use_new_zipfile_serialization=not legacy)


def _save_safetensors(path: Path, weights: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, path)


def _save_with_optimizer(path: Path, weights: dict[str, Any], legacy: bool, optimizer_bytes: int) -> None:
    """A Lightning checkpoint: optimizer moments, a callback keyed by its class, numpy scalars, parsed arguments."""
    import numpy
    import torch

    moments = {0: {"step": 7, "exp_avg": torch.ones(64, 64), "exp_avg_sq": torch.ones(64, 64)}}
    if optimizer_bytes:
        moments[1] = {"step": 7, "exp_avg": torch.zeros(_MARKER, dtype=torch.float64)}
    with _lightning_classes() as (callback, arguments):
        value = {
            "epoch": 1,
            "global_step": 7,
            "pytorch-lightning_version": "1.7.7",
            "state_dict": weights,
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {callback: {"best_model_score": numpy.float64(0.5), "best_k_models": {}}},
            "optimizer_states": [{"state": moments, "param_groups": [{"lr": numpy.float32(1e-5), "params": [0, 1]}]}],
            "lr_schedulers": [{"base_lrs": [1e-5], "last_epoch": 7}],
            "hparams_name": "kwargs",
            "hyper_parameters": arguments(timesteps=1000),
        }
        save(path, value, legacy=legacy)
    if optimizer_bytes:
        _grow_by_hole(path, optimizer_bytes // 8)


def _grow_by_hole(path: Path, numel: int) -> None:
    """Make the marked block `numel` float64 numbers long: its entry moves to the end and is never written."""
    with ZipFile(path, "a") as archive:
        raw: Any = archive
        table = next(entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl"))
        before = archive.read(table)
        after = before.replace(b"J" + struct.pack("<i", _MARKER), b"J" + struct.pack("<i", numel))
        table.CRC = zlib.crc32(after)
        raw.fp.seek(table.header_offset)
        name_length, extra_length = struct.unpack("<26x2H", raw.fp.read(30))
        raw.fp.seek(name_length + extra_length, SEEK_CUR)
        raw.fp.write(after)
        block = next(entry for entry in archive.infolist() if entry.file_size == _MARKER * 8)
        block.header_offset, block.file_size, block.compress_size = raw.start_dir, numel * 8, numel * 8
        block.flag_bits = 0
        raw.fp.seek(raw.start_dir)
        raw.fp.write(block.FileHeader(zip64=True))
        raw.start_dir = raw.fp.tell() + numel * 8
        raw._didModify = True


@contextmanager
def _lightning_classes() -> Iterator[tuple[type, type]]:
    """Classes under Lightning's names, for as long as pickle needs to find them there."""
    packages = ("pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.utilities")
    modules = {name: ModuleType(name) for name in packages}
    made: list[type] = []
    for module, name, base in (
        ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint", object),
        ("pytorch_lightning.utilities.parsing", "AttributeDict", dict),
    ):
        made.append(type(name, (base,), {"__module__": module}))
        modules[module] = ModuleType(module)
        setattr(modules[module], name, made[-1])
    sys.modules.update(modules)
    try:
        yield made[0], made[1]
    finally:
        for module in modules:
            del sys.modules[module]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--layout", choices=LAYOUTS, default="fp32")
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--legacy", action="store_true")
    options = parser.parse_args()
    print(build_random_checkpoint(options.file, options.layout, options.size, legacy=options.legacy))


if __name__ == "__main__":
    main()
