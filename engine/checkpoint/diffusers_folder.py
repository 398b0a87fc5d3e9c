"""The parts of a diffusers folder that hold no weights: index, configurations, tokenizer; and whether we can use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from domain import ModelUnavailable
from engine.checkpoint.hyperparameters import Hyperparameters, scheduler_config, text_config, unet_config, vae_config
from engine.request.tokenizer import clip_tokenizer

_INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}

WEIGHT_FILES = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}


def write_configs(folder: Path, numbers: Hyperparameters) -> None:
    """Make `folder` a diffusers folder that lacks only the three weight files of WEIGHT_FILES."""
    text = {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **text_config(numbers)}
    _write(folder / "model_index.json", _INDEX)
    _write(folder / "unet" / "config.json", {"_class_name": "UNet2DConditionModel", **unet_config(numbers)})
    _write(folder / "vae" / "config.json", {"_class_name": "AutoencoderKL", **vae_config(numbers)})
    _write(folder / "text_encoder" / "config.json", text)
    _write(folder / "scheduler" / "scheduler_config.json", scheduler_config(numbers))
    clip_tokenizer().save_pretrained(folder / "tokenizer")


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


KINDS_BY_CHANNELS = {
    9: "an inpainting model (9 input channels)",
    8: "a model that edits pictures by instruction, or one for upscaling (8 input channels)",
    7: "a model for upscaling (7 input channels)",
    5: "a model that paints from depth (5 input channels)",
}
_PREDICTIONS = ("epsilon", "v_prediction", "sample")


def check_supported(folder: Path) -> None:
    """Raise ModelUnavailable, before anything is loaded, for a folder with which every picture would fail."""
    unet, vae, scheduler, index = (
        read_config(folder / name)
        for name in ("unet/config.json", "vae/config.json", "scheduler/scheduler_config.json", "model_index.json")
    )
    what = _kind(index, unet) or _other_latents(unet, vae) or _other_schedule(scheduler)
    if what is not None:
        raise ModelUnavailable(
            f"{folder} is {what}. This bot paints with Stable Diffusion 1.x models such as Waifu Diffusion v1.3."
        )


def _kind(index: Mapping[str, Any], unet: Mapping[str, Any]) -> str | None:
    name = str(index.get("_class_name", ""))
    if "XL" in name or unet.get("addition_embed_type"):
        return "a Stable Diffusion XL model"
    if "transformer" in index or "3" in name or name.startswith(("Flux", "PixArt")):
        return f"a model of another family ({name})"
    if unet.get("class_embed_type") or unet.get("num_class_embeds"):
        return "a model that reads a class or a noise level beside the prompt"
    return None


def _other_latents(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> str | None:
    channels, latents = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if channels != latents:
        return KINDS_BY_CHANNELS.get(channels, f"a model of {channels} input channels for {latents} of its pictures")
    if unet.get("out_channels", 4) != latents:
        return f"a model whose UNet writes {unet.get('out_channels')} channels for {latents} of its pictures"
    shifted = [name for name in ("shift_factor", "latents_mean", "latents_std") if vae.get(name) is not None]
    return f"a model whose VAE moves its latents ({', '.join(shifted)})" if shifted else None


def _other_schedule(scheduler: Mapping[str, Any]) -> str | None:
    name, predicts = str(scheduler.get("_class_name", "")), str(scheduler.get("prediction_type", "epsilon"))
    if "Flow" in name or "flow" in predicts:
        return f"a flow-matching model ({name or predicts})"
    return None if predicts in _PREDICTIONS else f"a model that predicts {predicts!r}"


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelUnavailable for a file that is missing, damaged or something else."""
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnavailable(f"{path} is missing or damaged.") from error
    if not isinstance(values, dict):
        raise ModelUnavailable(f"{path} is missing or damaged.")
    return cast("dict[str, Any]", values)
