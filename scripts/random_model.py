"""Models with random weights in the real Stable Diffusion classes, for tests and the benchmark.

    python -m scripts.random_model FOLDER --size tiny

`tiny` is launch-bound (0.8 M UNet parameters, 64 px native), `mid` computes for real on a CPU (22.6 M, 256 px),
`sd14-random` has the full shapes of Stable Diffusion 1.4 (speed does not depend on weights).
`python -m scripts.random_checkpoint` writes such a model in the single-file layouts.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.checkpoint.diffusers_folder import write_configs
from engine.checkpoint.hyperparameters import V1_INFERENCE, Hyperparameters, text_config, unet_config, vae_config

SIZES = {
    "tiny": Hyperparameters(
        image_size=8, model_channels=32, channel_mult=(1, 2), num_res_blocks=1, attention_resolutions=(1,),
        num_head_channels=32, num_heads=-1, context_dim=32,
        vae_channels=16, vae_mult=(1, 1, 2, 2), vae_res_blocks=1, vae_groups=16,
        text_layers=2, text_heads=1, text_mlp_width=128,
    ),
    "mid": Hyperparameters(
        image_size=32, model_channels=64, channel_mult=(1, 2, 3, 3), num_head_channels=64, num_heads=-1,
        context_dim=256, vae_channels=32, vae_mult=(1, 2, 2, 2), text_layers=4, text_heads=4, text_mlp_width=1024,
    ),
    "sd14-random": V1_INFERENCE,
}  # fmt: skip


def hyperparameters(size: str, prediction_type: str = "epsilon") -> Hyperparameters:
    """The numbers of one size."""
    return replace(SIZES[size], parameterization={"epsilon": "eps", "v_prediction": "v"}[prediction_type])


def build_random_model(
    folder: Path, size: str = "tiny", prediction_type: str = "epsilon", seed: int = 0, dtype: str = "float32"
) -> Path:
    """Save a model of seeded random weights as a diffusers folder and return the folder."""
    numbers = hyperparameters(size, prediction_type)
    for name, part in build_parts(numbers, seed, dtype).items():
        part.save_pretrained(folder / name)
    write_configs(folder, numbers)
    return folder


def build_parts(numbers: Hyperparameters, seed: int = 0, dtype: str = "float32") -> dict[str, Any]:
    """UNet, VAE and text encoder with random weights; the global random state is left as it was."""
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts = {
            "unet": UNet2DConditionModel(**unet_config(numbers)),
            "vae": AutoencoderKL(**vae_config(numbers)),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**text_config(numbers))),
        }
    if dtype == "float32":
        return parts
    return {name: part.to(getattr(torch, dtype)) for name, part in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--prediction-type", choices=("epsilon", "v_prediction"), default="epsilon")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(build_random_model(options.folder, options.size, options.prediction_type, options.seed, options.dtype))


if __name__ == "__main__":
    main()
