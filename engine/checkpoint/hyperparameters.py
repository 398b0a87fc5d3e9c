"""The numbers a Stable Diffusion 1.x checkpoint does not say about itself, as CompVis' v1-inference.yaml gives them.

The defaults are Stable Diffusion 1.4's and Waifu Diffusion 1.3's (CompVis/stable-diffusion, configs/stable-diffusion/
v1-inference.yaml). A file of the checkpoint's name with the ending `.yaml` in that layout replaces them. Beyond the
original's keys ours may say `num_groups` (UNet and VAE) and `layers`, `heads`, `mlp_width` (text encoder), which the
original fixes in code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain import ModelUnavailable
from domain.frozen import frozen


@frozen
class Hyperparameters:
    """One architecture. `image_size` is the native latent side; channel counts are `*_channels` times `*_mult`."""

    image_size: int = 64
    model_channels: int = 320
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (4, 2, 1)
    num_heads: int = 8
    num_head_channels: int = -1
    context_dim: int = 768
    unet_groups: int = 32

    vae_channels: int = 128
    vae_mult: tuple[int, ...] = (1, 2, 4, 4)
    vae_res_blocks: int = 2
    vae_groups: int = 32
    z_channels: int = 4
    scale_factor: float = 0.18215

    text_layers: int = 12
    text_heads: int = 12
    text_mlp_width: int = 3072

    timesteps: int = 1000
    linear_start: float = 0.00085
    linear_end: float = 0.012
    parameterization: str = "eps"

    @property
    def unet_widths(self) -> tuple[int, ...]:
        """Channels of each UNet level."""
        return tuple(self.model_channels * factor for factor in self.channel_mult)

    @property
    def vae_widths(self) -> tuple[int, ...]:
        """Channels of each VAE level."""
        return tuple(self.vae_channels * factor for factor in self.vae_mult)

    @property
    def attention_levels(self) -> tuple[bool, ...]:
        """Which UNet levels attend to the text; level i works at 1/2**i of the latent side."""
        return tuple(2**level in self.attention_resolutions for level in range(len(self.channel_mult)))


V1_INFERENCE = Hyperparameters()


def unet_config(numbers: Hyperparameters) -> dict[str, Any]:
    """Arguments of diffusers' UNet2DConditionModel."""
    attends = numbers.attention_levels
    heads: Any = numbers.num_heads
    if numbers.num_head_channels > 0:
        heads = [width // numbers.num_head_channels for width in numbers.unet_widths]
    return {
        "sample_size": numbers.image_size,
        "in_channels": numbers.z_channels,
        "out_channels": numbers.z_channels,
        "block_out_channels": list(numbers.unet_widths),
        "down_block_types": ["CrossAttnDownBlock2D" if here else "DownBlock2D" for here in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends)],
        "layers_per_block": numbers.num_res_blocks,
        "cross_attention_dim": numbers.context_dim,
        "attention_head_dim": heads,  # a historical name in diffusers: it is the number of heads
        "norm_num_groups": numbers.unet_groups,
    }


def vae_config(numbers: Hyperparameters) -> dict[str, Any]:
    """Arguments of diffusers' AutoencoderKL."""
    depth = len(numbers.vae_mult)
    return {
        "sample_size": numbers.image_size * 2 ** (depth - 1),
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": list(numbers.vae_widths),
        "down_block_types": ["DownEncoderBlock2D"] * depth,
        "up_block_types": ["UpDecoderBlock2D"] * depth,
        "layers_per_block": numbers.vae_res_blocks,
        "latent_channels": numbers.z_channels,
        "norm_num_groups": numbers.vae_groups,
        "scaling_factor": numbers.scale_factor,
    }


def text_config(numbers: Hyperparameters) -> dict[str, Any]:
    """Arguments of transformers' CLIPTextConfig (the text half of openai/clip-vit-large-patch14)."""
    return {
        "vocab_size": 49408,
        "hidden_size": numbers.context_dim,
        "intermediate_size": numbers.text_mlp_width,
        "num_hidden_layers": numbers.text_layers,
        "num_attention_heads": numbers.text_heads,
        "max_position_embeddings": 77,
        "projection_dim": numbers.context_dim,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 1,
    }


def scheduler_config(numbers: Hyperparameters) -> dict[str, Any]:
    """scheduler_config.json as Stable Diffusion 1.4's folder has it, with this model's noise schedule."""
    return {
        "_class_name": "PNDMScheduler",
        "num_train_timesteps": numbers.timesteps,
        "beta_start": numbers.linear_start,
        "beta_end": numbers.linear_end,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "prediction_type": {"eps": "epsilon", "v": "v_prediction"}[numbers.parameterization],
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "timestep_spacing": "leading",
        "trained_betas": None,
    }


def read_hyperparameters(path: Path) -> Hyperparameters:
    """Read a file in v1-inference.yaml's layout. Raises ModelUnavailable naming what is wrong."""
    import yaml

    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["params"]
        return _from_params(params)
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelUnavailable(
            f"{path.name} is not laid out like CompVis' v1-inference.yaml: {type(error).__name__} {error}."
        ) from error


def _from_params(params: Mapping[str, Any]) -> Hyperparameters:
    unet = params["unet_config"]["params"]
    vae = params["first_stage_config"]["params"]["ddconfig"]
    text: Mapping[str, Any] = dict(params.get("cond_stage_config", {}).get("params") or {})
    parameterization = params.get("parameterization", "eps")
    if parameterization not in ("eps", "v"):
        raise ValueError(f"parameterization {parameterization!r} is neither 'eps' nor 'v'")
    return Hyperparameters(
        image_size=int(params["image_size"]),
        model_channels=int(unet["model_channels"]),
        channel_mult=tuple(unet["channel_mult"]),
        num_res_blocks=int(unet["num_res_blocks"]),
        attention_resolutions=tuple(unet["attention_resolutions"]),
        num_heads=int(unet.get("num_heads", -1)),
        num_head_channels=int(unet.get("num_head_channels", -1)),
        context_dim=int(unet["context_dim"]),
        unet_groups=int(unet.get("num_groups", 32)),
        vae_channels=int(vae["ch"]),
        vae_mult=tuple(vae["ch_mult"]),
        vae_res_blocks=int(vae["num_res_blocks"]),
        vae_groups=int(vae.get("num_groups", 32)),
        z_channels=int(vae["z_channels"]),
        scale_factor=float(params["scale_factor"]),
        text_layers=int(text.get("layers", 12)),
        text_heads=int(text.get("heads", 12)),
        text_mlp_width=int(text.get("mlp_width", 3072)),
        timesteps=int(params["timesteps"]),
        linear_start=float(params["linear_start"]),
        linear_end=float(params["linear_end"]),
        parameterization=parameterization,
    )


def hyperparameters_yaml(numbers: Hyperparameters) -> str:
    """The numbers in v1-inference.yaml's layout: what `read_hyperparameters` reads back."""
    import yaml

    unet = {
        "in_channels": numbers.z_channels,
        "out_channels": numbers.z_channels,
        "model_channels": numbers.model_channels,
        "attention_resolutions": list(numbers.attention_resolutions),
        "num_res_blocks": numbers.num_res_blocks,
        "channel_mult": list(numbers.channel_mult),
        "num_heads": numbers.num_heads,
        "num_head_channels": numbers.num_head_channels,
        "context_dim": numbers.context_dim,
        "num_groups": numbers.unet_groups,
    }
    vae = {
        "z_channels": numbers.z_channels,
        "ch": numbers.vae_channels,
        "ch_mult": list(numbers.vae_mult),
        "num_res_blocks": numbers.vae_res_blocks,
        "num_groups": numbers.vae_groups,
    }
    text = {"layers": numbers.text_layers, "heads": numbers.text_heads, "mlp_width": numbers.text_mlp_width}
    params = {
        "linear_start": numbers.linear_start,
        "linear_end": numbers.linear_end,
        "timesteps": numbers.timesteps,
        "image_size": numbers.image_size,
        "scale_factor": numbers.scale_factor,
        "parameterization": numbers.parameterization,
        "unet_config": {"params": unet},
        "first_stage_config": {"params": {"ddconfig": vae}},
        "cond_stage_config": {"params": text},
    }
    return yaml.safe_dump({"model": {"params": params}}, sort_keys=False)
