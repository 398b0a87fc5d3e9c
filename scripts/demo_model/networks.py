"""The demo model's networks: Stable Diffusion's classes, small. Latents are 4 x 16 x 16, pictures 3 x 128 x 128."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers
from torch import nn

# The libraries' annotations are narrower than what their classes take and give.
_DIFFUSERS: Any = diffusers
_TRANSFORMERS: Any = transformers

WIDTH = 128
TOKENS = 77


def build_half_autoencoder() -> Any:
    """64 x 64 pixels to latents of a quarter of the side: quick to train, and its latents are the final ones."""
    return _autoencoder((24, 48, 96), 64)


def build_autoencoder() -> Any:
    """128 x 128 pixels to the same latents: one level more."""
    return _autoencoder((24, 24, 48, 96), 128)


def grow_autoencoder(half: Any, whole: Any) -> None:
    """Give the 128-pixel autoencoder the 64-pixel weights; its new level begins as plain resampling."""
    source, target = half.state_dict(), whole.state_dict()
    for name, tensor in target.items():
        origin = _origin(name)
        if origin in source and source[origin].shape == tensor.shape:
            target[name] = source[origin].clone()
    whole.load_state_dict(target)
    shrink, grow = whole.encoder.down_blocks[0], whole.decoder.up_blocks[-2]
    _begin_as(shrink.downsamplers[0].conv, slice(0, 2))
    _begin_as(grow.upsamplers[0].conv, slice(1, 2))
    for block in (*shrink.resnets, *whole.decoder.up_blocks[-1].resnets):
        nn.init.zeros_(block.conv2.weight)
        nn.init.zeros_(block.conv2.bias)


def build_unet() -> Any:
    """4.0 M parameters; attention at 8 x 8 only, where it costs little on a CPU."""
    return _DIFFUSERS.UNet2DConditionModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=(64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # diffusers reads this number as the count of heads
        norm_num_groups=16,
    )


def build_text_encoder(tokenizer: Any) -> Any:
    """Two causal layers, 0.5 M parameters."""
    return _TRANSFORMERS.CLIPTextModel(
        _TRANSFORMERS.CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_scheduler() -> Any:
    """v-prediction with zero terminal signal (Lin et al. 2023, arXiv:2305.08891): flat backgrounds come out exact."""
    return _DIFFUSERS.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def encode_text(tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Token ids, (len(captions), 77), padded as the pipeline pads."""
    return tokenizer(captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt").input_ids


@torch.no_grad()
def _begin_as(convolution: Any, taps: slice) -> None:
    """Every channel's mean over a square of taps: 0..1 halves the picture, the middle one keeps it."""
    convolution.weight.zero_()
    convolution.bias.zero_()
    side = taps.stop - taps.start
    for channel in range(convolution.out_channels):
        convolution.weight[channel, channel, taps, taps] = 1 / side**2


def _autoencoder(channels: tuple[int, ...], size: int) -> Any:
    return _DIFFUSERS.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=size,
        mid_block_add_attention=False,
    )


def _origin(name: str) -> str:
    """The name that a tensor of the 128-pixel autoencoder has in the 64-pixel one: its first encoder level is new."""
    parts = name.split(".")
    if name.startswith("encoder.down_blocks."):
        if parts[2] == "0":
            return ""
        parts[2] = str(int(parts[2]) - 1)
    return ".".join(parts)
