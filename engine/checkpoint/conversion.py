"""From a single file to a diffusers folder: what must be in the file, what is, and the weights, tensor by tensor.

Nothing is filled in or left out in silence: a missing, unexpected or mis-shaped weight, or one that is not a number,
stops the conversion and is named. One tensor is in memory at a time.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from domain import ModelUnavailable
from engine.checkpoint.archive import Archive, Region, printable
from engine.checkpoint.diffusers_folder import KINDS_BY_CHANNELS, WEIGHT_FILES, write_configs
from engine.checkpoint.hyperparameters import Hyperparameters, text_config, unet_config, vae_config
from engine.checkpoint.ldm_keys import (
    EMA_PREFIX,
    ESSENTIAL,
    TEXT_PREFIX,
    UNET_PREFIX,
    VAE_PREFIX,
    ema_key,
    is_harmless,
    ldm_keys,
)
from engine.checkpoint.leftovers import partial_prefix, sweep_partial
from engine.checkpoint.safe_pickle import ITEM_BYTES

log = logging.getLogger(__name__)

_SAFETENSORS_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
RECORD = "source.json"
"""The file in a converted folder that says where it came from."""
_NAMED = 3  # how many keys an error lists before it counts the rest

_OTHER_MODELS = (
    ("conditioner.embedders.", "a Stable Diffusion XL model"),
    ("cond_stage_model.model.", "a Stable Diffusion 2 model"),
    ("model.diffusion_model.joint_blocks.", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.double_blocks.", "a Flux model"),
    ("lora_", "a LoRA, which is an addition to a model"),
    ("control_model.", "a ControlNet, which is an addition to a model"),
    ("down_blocks.", "one part of a diffusers folder; set MODEL to the folder"),
    ("decoder.", "a VAE alone"),
)


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight: its diffusers name, its key in the file, and the shape that the model expects."""

    name: str
    key: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which stored tensor becomes which weight. `weights` is "ema", "raw" or "as stored".

    `ignored` are the file's keys that no part of the model reads.
    """

    weights: str
    parts: Mapping[str, tuple[Weight, ...]]
    ignored: tuple[str, ...] = ()

    def bytes_needed(self, archive: Archive) -> int:
        """The size of all weight files that the plan writes."""
        return sum(
            math.prod(weight.shape) * ITEM_BYTES[archive.regions[weight.key].dtype]
            for part in self.parts.values()
            for weight in part
        )


def holds_ema(archive: Archive) -> bool:
    """Whether a file has an averaged copy of the UNet beside the last one."""
    return any(key.startswith(EMA_PREFIX) for key in archive.regions)


def make_plan(archive: Archive, numbers: Hyperparameters, weights: str = "ema") -> Plan:
    """Match what the model needs with what the file holds. Raises ModelUnavailable naming every kind of mismatch.

    `weights` chooses between the averaged and the last copy where a file holds both; with one copy there is no choice.
    """
    _check_architecture(archive)
    chosen = _choose_copy(archive, weights)
    keys = _aliases(archive)
    parts: dict[str, tuple[Weight, ...]] = {}
    for part, shapes in _expected_shapes(numbers).items():
        names = ldm_keys(part, shapes, numbers)
        if part == "unet" and chosen == "ema":
            names = {name: ema_key(key) for name, key in names.items()}
        parts[part] = tuple(Weight(name, keys.get(key, key), shapes[name]) for name, key in names.items())
    plan = Plan(chosen, parts)
    _check_missing(archive, plan)
    _check_dtypes(archive, plan)
    _check_channels(archive, plan)
    _check_shapes(archive, plan)
    return replace(plan, ignored=_ignored(archive, plan, numbers))


def _choose_copy(archive: Archive, weights: str) -> str:
    """Which copy of the UNet is taken. Raises ModelUnavailable where the wanted one is not there."""
    if not holds_ema(archive):
        return "as stored"
    if weights == "raw" and not any(key.startswith(UNET_PREFIX) for key in archive.regions):
        raise ModelUnavailable(f"{archive.path.name} holds the averaged weights alone. Set WEIGHTS=ema.")
    return weights


def _aliases(archive: Archive) -> dict[str, str]:
    """Usual key → the file's key, for text encoders that were saved without the inner `text_model.`."""
    short = TEXT_PREFIX.removesuffix("text_model.")
    roots = (f"{short}embeddings.", f"{short}encoder.", f"{short}final_layer_norm.")
    usual = {TEXT_PREFIX + key.removeprefix(short): key for key in archive.regions if key.startswith(roots)}
    return {name: key for name, key in usual.items() if name not in archive.regions}


def _expected_shapes(numbers: Hyperparameters) -> dict[str, dict[str, tuple[int, ...]]]:
    """Every weight of the three parts, from the real classes on the meta device (nothing is allocated)."""
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        parts: dict[str, Any] = {
            "unet": UNet2DConditionModel(**unet_config(numbers)),
            "vae": AutoencoderKL(**vae_config(numbers)),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**text_config(numbers))),
        }
    return {part: {name: tuple(w.shape) for name, w in model.state_dict().items()} for part, model in parts.items()}


def _check_architecture(archive: Archive) -> None:
    keys = archive.regions
    if not keys:
        raise ModelUnavailable(f"{archive.path.name} holds no weights at all.")
    unet = (UNET_PREFIX, EMA_PREFIX)
    if all(any(key.startswith(root) for key in keys) for root in (unet, VAE_PREFIX, "cond_stage_model.transformer")):
        return
    for root, what in _OTHER_MODELS:
        if any(key.startswith(root) for key in keys):
            raise ModelUnavailable(
                f"{archive.path.name} is {what}. This bot paints with Stable Diffusion 1.x checkpoints such as "
                "Waifu Diffusion v1.3."
            )
    if not any(key.startswith(unet) for key in keys):
        raise ModelUnavailable(
            f"{archive.path.name} is not a Stable Diffusion 1.x checkpoint: it has no {UNET_PREFIX}* weights "
            f"(it has {_some(sorted(keys))})."
        )


def _check_missing(archive: Archive, plan: Plan) -> None:
    missing = [w.key for part in plan.parts.values() for w in part if w.key not in archive.regions]
    if missing:
        hint = (
            " Its EMA copy is incomplete; WEIGHTS=raw takes the other one." if missing[0].startswith(EMA_PREFIX) else ""
        )
        raise ModelUnavailable(f"{archive.path.name} lacks {_count(missing)}: {_some(missing)}.{hint}")


def _ignored(archive: Archive, plan: Plan, numbers: Hyperparameters) -> tuple[str, ...]:
    """The keys that nothing reads. Raises ModelUnavailable for those that belong to another architecture."""
    wanted = {weight.key for part in plan.parts.values() for weight in part}
    raw = ldm_keys("unet", (weight.name for weight in plan.parts["unet"]), numbers).values()
    wanted |= {*raw, *(ema_key(key) for key in raw)}
    usual = {key: name for name, key in _aliases(archive).items()}
    extra = [key for key in archive.regions if key not in wanted and not is_harmless(usual.get(key, key))]
    foreign = [key for key in extra if usual.get(key, key).startswith(ESSENTIAL) and usual.get(key) not in wanted]
    if foreign:
        raise ModelUnavailable(
            f"{archive.path.name} holds {_count(foreign)} that no Stable Diffusion 1.x model has: {_some(foreign)}."
        )
    if extra:
        log.warning("%s: ignored %s that the model doesn't read: %s", archive.path.name, _count(extra), _some(extra))
    return tuple(extra)


def _check_dtypes(archive: Archive, plan: Plan) -> None:
    """Weights are numbers with a fraction; float8 and packed integers need code of their own to be unpacked."""
    dtypes = {archive.regions[w.key].dtype for part in plan.parts.values() for w in part} - _SAFETENSORS_NAMES.keys()
    if dtypes:
        raise ModelUnavailable(
            f"{archive.path.name} stores weights as {', '.join(sorted(dtypes))}, which this bot can't paint with. Get "
            "it as float32, float16 or bfloat16."
        )


def _check_channels(archive: Archive, plan: Plan) -> None:
    """Models that read more than the latents are told apart by their first convolution."""
    first = next(weight for weight in plan.parts["unet"] if weight.name == "conv_in.weight")
    stored = archive.regions[first.key].shape
    if len(stored) == 4 and stored[1] != first.shape[1] and stored[0] == first.shape[0]:
        kind = KINDS_BY_CHANNELS.get(stored[1], "a model for other inputs")
        raise ModelUnavailable(
            f"{archive.path.name} is {kind}: {first.key} is {archive.regions[first.key].dtype} {_sides(stored)}, not "
            f"{_sides(first.shape)}. This bot paints with models that read the {first.shape[1]} channels of a picture "
            "alone."
        )


def _check_shapes(archive: Archive, plan: Plan) -> None:
    wrong = [
        f"{weight.key} is {stored.dtype} {_sides(stored.shape)}, not {_sides(weight.shape)}"
        for part in plan.parts.values()
        for weight in part
        if not _fits(weight, stored := archive.regions[weight.key])
    ]
    if wrong:
        raise ModelUnavailable(
            f"{archive.path.name} has {_count(wrong)} of another shape than its hyper-parameters say: {_some(wrong)}. "
            f"A {archive.path.stem}.yaml in v1-inference's layout beside the file gives other hyper-parameters."
        )


def _fits(weight: Weight, stored: Region) -> bool:
    """Equal shapes, or a 1x1 convolution where diffusers has a linear layer (the VAE's attention)."""
    linear = len(weight.shape) == 2 and stored.shape == (*weight.shape, 1, 1)
    return (stored.shape == weight.shape or linear) and stored.dtype in _SAFETENSORS_NAMES


def _count(keys: list[str]) -> str:
    return "one weight" if len(keys) == 1 else f"{len(keys)} weights"


def _some(keys: list[str]) -> str:
    rest = len(keys) - _NAMED
    return ", ".join(map(printable, keys[:_NAMED])) + (f" and {rest} more" if rest > 0 else "")


def _sides(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"


def write_model(
    archive: Archive, plan: Plan, numbers: Hyperparameters, folder: Path, record: Mapping[str, Any]
) -> Path:
    """Write the diffusers folder at once: it appears under its name only when it is whole. Returns `folder`."""
    needed = plan.bytes_needed(archive) + 2**24
    sweep_partial(folder.parent)
    partial = folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=partial_prefix(folder), dir=folder.parent))
        free = shutil.disk_usage(partial).free
        if free < needed:
            raise ModelUnavailable(
                f"Converting {archive.path.name} needs {needed:,} bytes in {folder.parent}; {free:,} are free."
            )
        write_configs(partial, numbers)
        with archive.path.open("rb") as file:
            archive.verify(file, (weight.key for part in plan.parts.values() for weight in part))
            for part, weights in plan.parts.items():
                _write_part(archive, file, weights, partial / WEIGHT_FILES[part])
        (partial / RECORD).write_text(json.dumps(dict(record), indent=2) + "\n", encoding="utf-8")
        partial.chmod(0o777 & ~_umask())
        partial.rename(folder)
    except OSError as error:
        if (folder / RECORD).is_file():  # another process was faster with the same file
            return folder
        raise ModelUnavailable(
            f"{archive.path.name} must be converted once, and {folder} can't be written: {error.strerror}. "
            "Make its folder writable, or run `python -m engine.checkpoint convert FILE DIR` and set MODEL to DIR."
        ) from error
    finally:
        if partial != folder:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _umask() -> int:
    """What new folders may not allow: `mkdtemp` makes its folder for one user alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_part(archive: Archive, file: IO[bytes], weights: tuple[Weight, ...], target: Path) -> None:
    """A safetensors file (github.com/huggingface/safetensors#format), written as it is read."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for weight in weights:
        dtype = archive.regions[weight.key].dtype
        start, end = end, end + math.prod(weight.shape) * ITEM_BYTES[dtype]
        header[weight.name] = {"dtype": _SAFETENSORS_NAMES[dtype], "shape": weight.shape, "data_offsets": [start, end]}
    table = json.dumps(header).encode()
    table += b" " * (-len(table) % 8)
    with target.open("wb") as out:
        out.write(struct.pack("<Q", len(table)) + table)
        out.writelines(_numbers(archive, file, weights))


def _numbers(archive: Archive, file: IO[bytes], weights: tuple[Weight, ...]) -> Iterator[Any]:
    import torch

    for weight in weights:
        tensor = archive.read(file, weight.key)
        if not torch.isfinite(tensor).all():
            raise ModelUnavailable(f"{archive.path.name} is damaged: {printable(weight.key)} holds NaN or infinity.")
        yield tensor.reshape(-1).view(torch.uint8).numpy().data
