"""Small models with random weights in the real Stable Diffusion classes, for tests and the benchmark.

    python scripts/random_model.py FOLDER --size tiny

`tiny` is launch-bound (0.8 M UNet parameters, 64 px native), `mid` computes for real on a CPU (22.6 M, 256 px),
`sd14-random` has the full shapes of Stable Diffusion 1.4 (speed does not depend on weights).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Channel widths and sizes of one model; `sample_size` is the native latent side."""

    unet_channels: tuple[int, ...]
    vae_channels: tuple[int, ...]
    sample_size: int
    text_width: int
    text_layers: int
    head_width: int
    layers_per_block: int
    groups: int


SHAPES = {
    "tiny": Shape(
        unet_channels=(32, 64), vae_channels=(16, 16, 32, 32), sample_size=8, text_width=32, text_layers=2,
        head_width=32, layers_per_block=1, groups=16,
    ),
    "mid": Shape(
        unet_channels=(64, 128, 192, 192), vae_channels=(32, 64, 64, 64), sample_size=32, text_width=128, text_layers=4,
        head_width=64, layers_per_block=2, groups=32,
    ),
    "sd14-random": Shape(
        unet_channels=(320, 640, 1280, 1280), vae_channels=(128, 256, 512, 512), sample_size=64, text_width=768,
        text_layers=12, head_width=40, layers_per_block=2, groups=32,
    ),
}  # fmt: skip


def build_random_model(folder: Path, size: str = "tiny", prediction_type: str = "epsilon", seed: int = 0) -> Path:
    """Save a model of random weights as a diffusers folder and return it."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    torch.manual_seed(seed)
    shape = SHAPES[size]
    tokenizer = _tokenizer(folder)
    StableDiffusionPipeline(
        vae=_vae(shape),
        text_encoder=_text_encoder(shape, tokenizer),
        tokenizer=tokenizer,
        unet=_unet(shape),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=prediction_type,
        ),
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def _unet(shape: Shape) -> Any:
    from diffusers import UNet2DConditionModel

    depth = len(shape.unet_channels)
    return UNet2DConditionModel(
        sample_size=shape.sample_size,
        in_channels=4,
        out_channels=4,
        layers_per_block=shape.layers_per_block,
        block_out_channels=shape.unet_channels,
        down_block_types=("CrossAttnDownBlock2D",) * (depth - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (depth - 1),
        cross_attention_dim=shape.text_width,
        # diffusers' name is historical: this is the number of heads of each block.
        attention_head_dim=tuple(max(channels // shape.head_width, 1) for channels in shape.unet_channels),
        norm_num_groups=shape.groups,
    )


def _vae(shape: Shape) -> Any:
    from diffusers import AutoencoderKL

    depth = len(shape.vae_channels)
    return AutoencoderKL(
        block_out_channels=shape.vae_channels,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        layers_per_block=shape.layers_per_block,
        latent_channels=4,
        norm_num_groups=min(shape.groups, min(shape.vae_channels)),
        sample_size=shape.sample_size * 8,
        scaling_factor=0.18215,
    )


def _text_encoder(shape: Shape, tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.text_width,
            intermediate_size=4 * shape.text_width,
            num_hidden_layers=shape.text_layers,
            num_attention_heads=max(shape.text_width // 32, 1),
            max_position_embeddings=77,
            projection_dim=shape.text_width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _tokenizer(folder: Path) -> Any:
    """A byte-level tokenizer without merges: every character is a token, nothing is unknown."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=77)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SHAPES, default="tiny")
    parser.add_argument("--prediction-type", choices=("epsilon", "v_prediction"), default="epsilon")
    options = parser.parse_args()
    print(build_random_model(options.folder, options.size, options.prediction_type))


if __name__ == "__main__":
    main()
