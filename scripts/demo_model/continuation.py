"""Going on from published weights: a training folder that looks as if every stage had just been left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from scripts.demo_model.decoder import STAGE as DECODER
from scripts.demo_model.diffusion import STAGE as DIFFUSION
from scripts.demo_model.obedience import load_pipeline
from scripts.demo_model.parallel import save_atomically
from scripts.demo_model.pictures import load_pictures, to_planes
from scripts.demo_model.plan import Plan

_CHUNK = 100


def unpack(model: Path, plan: Plan) -> None:
    """Write the tokenizer, the latents and first checkpoints from the diffusers folder `model`; the rendered pictures
    must be there. What is there already stays: an interrupted continuation goes on."""
    pipeline = load_pipeline(model).to("cpu")
    if not (plan.folder / "tokenizer").is_dir():
        shutil.copytree(model / "tokenizer", plan.folder / "tokenizer")
    if not (plan.folder / "latents.pt").is_file():
        save_atomically(_encode(pipeline.vae, plan), plan.folder / "latents.pt")
    both = nn.ModuleList([pipeline.unet, pipeline.text_encoder])
    for stage, network in ((DIFFUSION, both), (DECODER, pipeline.vae)):
        if not plan.checkpoint(stage).is_file():
            weights = network.state_dict()
            state = {"model": weights, "average": weights, "spent": 0.0, "step": 0, "continued": True}
            save_atomically(state, plan.checkpoint(stage))


@torch.no_grad()
def _encode(autoencoder: Any, plan: Plan) -> dict[str, Any]:
    means, deviations = [], []
    for start in tqdm(range(0, plan.pictures, _CHUNK), desc="encode", unit="batch"):
        planes = to_planes(load_pictures(plan.folder, "train", start, min(_CHUNK, plan.pictures - start)))
        with torch.autocast("cpu", torch.bfloat16):
            posterior = autoencoder.encode(planes).latent_dist
        means.append(posterior.mean.half())
        deviations.append((0.5 * posterior.logvar.float()).exp().half())
    return {"mean": torch.cat(means), "std": torch.cat(deviations), "scale": autoencoder.config.scaling_factor}
