"""Writing the diffusers folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn

from scripts.demo_model.autoencoder import load_half_autoencoder
from scripts.demo_model.decoder import STAGE as DECODER
from scripts.demo_model.decoder import load_autoencoder
from scripts.demo_model.diffusion import STAGE as DIFFUSION
from scripts.demo_model.networks import build_scheduler, build_text_encoder, build_unet
from scripts.demo_model.plan import Plan, load_state
from scripts.demo_model.tokens import load_tokenizer

PARTS = ("model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae")


def export_model(plan: Plan, target: Path) -> None:
    """Save the averaged weights in float16; without a trained decoder the 64-pixel autoencoder serves."""
    tokenizer = load_tokenizer(plan.folder / "tokenizer")
    both = nn.ModuleList([build_unet(), build_text_encoder(tokenizer)])
    both.load_state_dict(load_state(plan.checkpoint(DIFFUSION))["average"])
    networks: Any = both
    unet, text_encoder = networks
    make: Any = diffusers
    pipeline = make.StableDiffusionPipeline(
        vae=_autoencoder(plan),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for part in PARTS:
        _remove(target / part)
    pipeline.to(dtype=torch.float16).save_pretrained(target, safe_serialization=True)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes files that only their owner can read


def _autoencoder(plan: Plan) -> Any:
    if plan.checkpoint(DECODER).is_file():
        return load_autoencoder(plan)
    half = load_half_autoencoder(plan)
    half.register_to_config(scaling_factor=load_state(plan.folder / "latents.pt")["scale"])
    return half


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
