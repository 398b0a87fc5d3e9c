"""Names of the same weights in CompVis' single files and in diffusers.

CompVis numbers a UNet's blocks through (`input_blocks.7.1…`), diffusers nests them (`down_blocks.2.attentions.0…`). The
names below go from diffusers to CompVis, so that the list of what a model needs decides what a file must hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.checkpoint.hyperparameters import Hyperparameters

UNET_PREFIX = "model.diffusion_model."
EMA_PREFIX = "model_ema.diffusion_model"
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer.text_model."
# A weight here that the architecture lacks would change every picture; anywhere else nothing would ever read it.
ESSENTIAL = (
    UNET_PREFIX, f"{VAE_PREFIX}encoder.", f"{VAE_PREFIX}decoder.", f"{VAE_PREFIX}quant_conv.",
    f"{VAE_PREFIX}post_quant_conv.", f"{TEXT_PREFIX}encoder.", f"{TEXT_PREFIX}embeddings.", "control_model.", "lora_",
)  # fmt: skip

_UNET_TOP = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}

# Buffers and bookkeeping of the training that the single files carry.
_HARMLESS = re.compile(
    r"(betas|alphas_cumprod|alphas_cumprod_prev|logvar|scale_factor|lvlb_weights|ddim_\w+|posterior_\w+"
    r"|(sqrt|log)_\w*alphas_cumprod\w*|model_ema\.(decay|num_updates)|first_stage_model\.loss\..*"
    r"|cond_stage_model\.(transformer\.)?(text_model\.embeddings\.position_ids|text_projection.*|logit_scale))"
)


def is_harmless(key: str) -> bool:
    """Whether a key may be left out without being missed."""
    return _HARMLESS.fullmatch(key) is not None


def ema_key(key: str) -> str:
    """The averaged copy's name for a UNet weight: Lightning's LitEma leaves out the dots."""
    return EMA_PREFIX + key.removeprefix(UNET_PREFIX).replace(".", "")


def ldm_keys(part: str, names: Iterable[str], numbers: Hyperparameters) -> dict[str, str]:
    """diffusers name → CompVis name for one part ("unet", "vae" or "text_encoder")."""
    return {name: _ldm_key(part, name, numbers) for name in names}


def _ldm_key(part: str, name: str, numbers: Hyperparameters) -> str:
    if part == "unet":
        return UNET_PREFIX + _unet_key(name, numbers)
    if part == "vae":
        return VAE_PREFIX + _vae_key(name, numbers)
    # transformers dropped the inner prefix in 5.6; both spellings mean the same weight.
    return TEXT_PREFIX + name.removeprefix("text_model.")


def _unet_key(name: str, numbers: Hyperparameters) -> str:
    for ours, theirs in _UNET_TOP.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    block, rest = _split(name)
    if block == "mid_block":
        kind, index, inner = _module(rest)
        return f"middle_block.{1 if kind == 'attentions' else 2 * index}.{_resnet_key(kind, inner)}"
    side, _, level = block.partition(".")
    kind, index, inner = _module(rest)
    if side == "down_blocks":
        return _down_key(int(level), kind, index, inner, numbers)
    return _up_key(int(level), kind, index, inner, numbers)


def _down_key(level: int, kind: str, index: int, inner: str, numbers: Hyperparameters) -> str:
    """Each level has `num_res_blocks` numbers and one more for its downsampler; 0 is the first convolution."""
    per_level = numbers.num_res_blocks + 1
    if kind == "downsamplers":
        return f"input_blocks.{(level + 1) * per_level}.0.op.{inner.removeprefix('conv.')}"
    number = 1 + level * per_level + index
    return f"input_blocks.{number}.{int(kind == 'attentions')}.{_resnet_key(kind, inner)}"


def _up_key(level: int, kind: str, index: int, inner: str, numbers: Hyperparameters) -> str:
    """A level's upsampler shares the number of its last block, behind the attention if there is one."""
    per_level = numbers.num_res_blocks + 1
    if kind == "upsamplers":
        attends = tuple(reversed(numbers.attention_levels))[level]
        return f"output_blocks.{level * per_level + per_level - 1}.{1 + int(attends)}.{inner}"
    return f"output_blocks.{level * per_level + index}.{int(kind == 'attentions')}.{_resnet_key(kind, inner)}"


def _resnet_key(kind: str, inner: str) -> str:
    if kind != "resnets":
        return inner
    module, _, leaf = inner.partition(".")
    return f"{_UNET_RESNET[module]}.{leaf}"


def _vae_key(name: str, numbers: Hyperparameters) -> str:
    half, _, inside = name.partition(".")
    if half in ("quant_conv", "post_quant_conv") or inside.startswith(("conv_in", "conv_out")):
        return name
    if inside.startswith("conv_norm_out"):
        return name.replace("conv_norm_out", "norm_out")
    block, rest = _split(inside)
    kind, index, inner = _module(rest)
    if block == "mid_block":
        return f"{half}.mid.{_vae_mid_key(kind, index, inner)}"
    side, _, level = block.partition(".")
    # CompVis numbers the decoder's levels by size, diffusers by order.
    number = int(level) if side == "down_blocks" else len(numbers.vae_mult) - 1 - int(level)
    short = f"{half}.{side.removesuffix('_blocks')}.{number}"
    if kind == "resnets":
        return f"{short}.block.{index}.{inner.replace('conv_shortcut', 'nin_shortcut')}"
    return f"{short}.{kind.removesuffix('rs')}.{inner}"


def _vae_mid_key(kind: str, index: int, inner: str) -> str:
    if kind == "resnets":
        return f"block_{index + 1}.{inner}"
    module, _, leaf = inner.rpartition(".")
    return f"attn_{index + 1}.{_VAE_ATTENTION[module]}.{leaf}"


def _split(name: str) -> tuple[str, str]:
    """The block ("down_blocks.2" or "mid_block") and what lies in it."""
    match = re.match(r"(mid_block|(?:down|up)_blocks\.\d+)\.(.+)", name)
    if match is None:
        raise KeyError(name)
    return match[1], match[2]


def _module(rest: str) -> tuple[str, int, str]:
    kind, index, inner = rest.split(".", 2)
    return kind, int(index), inner
