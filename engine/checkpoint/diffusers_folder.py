"""The parts of a diffusers folder that hold no weights: index, configurations, tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
