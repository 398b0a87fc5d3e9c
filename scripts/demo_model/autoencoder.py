"""Stage 1: the 64-pixel autoencoder, and the latents of every training picture."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm

from scripts.demo_model.networks import build_half_autoencoder
from scripts.demo_model.optimizing import Average, apply_gradients, learning_rate, set_learning_rate
from scripts.demo_model.parallel import Clock, save_atomically
from scripts.demo_model.pictures import halve, load_pictures
from scripts.demo_model.plan import Plan, Worker, load_state

STAGE = "autoencoder"
BATCH = 12
PEAK = 2e-3
SHARE_OF_PICTURES = 16_000
_QUIET = -6.0  # log-variance at the start: the default of 0 drowns the picture in noise


def picture_loss(painted: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """L1, its slopes (over one pixel: crisp lines; over more: no blotches), MSE, and the error averaged over 8 x 8
    (true colours, which GroupNorm loses)."""
    error = painted - wanted
    edges = _slopes(error, 1) + 0.5 * _slopes(error, 3) + 0.5 * _slopes(error, 9)
    level = functional.avg_pool2d(error, 8)
    near = (weight * error.abs()).mean() + 0.5 * (weight * error**2).mean()
    return near + 0.45 * edges + 1.5 * level.abs().mean() + 3 * (level**2).mean()


def face_weight(size: int) -> torch.Tensor:
    """(1, 1, size, size): eyes and mouth count twice."""
    weight = torch.ones(1, 1, size, size)
    weight[:, :, size * 13 // 32 : size * 29 // 32, size // 8 : size * 23 // 32] = 2.0
    return weight


def train(plan: Plan, worker: Worker) -> None:
    """Train for the planned minutes; goes on from the checkpoint if there is one."""
    model = build_half_autoencoder().to(worker.device)
    _quieten_posterior(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.0)
    average, spent, step = Average(model, 0.995), 0.0, 0
    if plan.checkpoint(STAGE).is_file():
        state = load_state(plan.checkpoint(STAGE))
        model.load_state_dict(state["model"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        spent, step = state["spent"], state["step"]
    torch.manual_seed(plan.seed + 100 + worker.rank + step)
    pictures = halve(load_pictures(plan.folder, "train", count=min(SHARE_OF_PICTURES, plan.pictures)))
    weight, clock = face_weight(64).to(worker.device), Clock(plan.autoencoder_minutes, worker.world, spent)

    def save(*, finished: bool) -> None:
        state = {"model": model.state_dict(), "average": average.module.state_dict()}
        state |= {"optimizer": optimizer.state_dict(), "spent": clock.spent_seconds, "step": step}
        save_atomically(state | {"finished": finished}, plan.checkpoint(STAGE))

    with tqdm(desc="autoencoder", unit="step", disable=not worker.leads, mininterval=5) as bar:
        while (fraction := clock.fraction()) < 1:
            set_learning_rate(optimizer, learning_rate(fraction, PEAK, step, flat=0.3))
            chosen = pictures[torch.randint(len(pictures), (BATCH,))].to(worker.device).float() / 127.5 - 1
            loss = _loss(model, chosen, weight)
            loss.backward()
            apply_gradients(model, [optimizer], worker.world)
            average.update(model)
            step += 1
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}", done=f"{fraction:.0%}", refresh=False)
            if worker.leads and step % 250 == 0:
                save(finished=False)
    if worker.leads:
        save(finished=True)


@torch.no_grad()
def encode_pictures(plan: Plan) -> None:
    """Write latents.pt: posterior mean and deviation of every training picture, and the scaling factor."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_half_autoencoder(plan).to(device)
    means, deviations = [], []
    for start in tqdm(range(0, plan.pictures, 500), desc="encode", unit="batch"):
        pictures = halve(load_pictures(plan.folder, "train", start, min(500, plan.pictures - start)))
        with torch.autocast(device.type, torch.bfloat16):
            posterior = model.encode(pictures.to(device).float() / 127.5 - 1).latent_dist
        means.append(posterior.mean.half().cpu())
        deviations.append((0.5 * posterior.logvar.float()).exp().half().cpu())
    mean, deviation = torch.cat(means), torch.cat(deviations)
    scale = 1 / math.sqrt(float(mean.float().var() + (deviation.float() ** 2).mean()))
    save_atomically({"mean": mean, "std": deviation, "scale": scale}, plan.folder / "latents.pt")


def load_half_autoencoder(plan: Plan) -> Any:
    """The trained 64-pixel autoencoder, frozen."""
    model = build_half_autoencoder()
    model.load_state_dict(load_state(plan.checkpoint(STAGE))["average"])
    return model.eval().requires_grad_(False)


def _loss(model: Any, pictures: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    with torch.autocast(pictures.device.type, torch.bfloat16):
        posterior = model.encode(pictures).latent_dist
        latents = posterior.mean + posterior.std * torch.randn_like(posterior.mean)
        painted = model.decode(latents).sample.float()
    variance = posterior.logvar.float()
    divergence = 0.5 * (posterior.mean.float() ** 2 + variance.exp() - 1 - variance).mean()
    return picture_loss(painted, pictures, weight) + 6.4e-4 * divergence


def _quieten_posterior(model: Any) -> None:
    with torch.no_grad():
        model.quant_conv.bias[4:] = _QUIET
        model.quant_conv.weight[4:] *= 0.1


def _slopes(error: torch.Tensor, distance: int) -> torch.Tensor:
    across = error[..., distance:] - error[..., :-distance]
    down = error[..., distance:, :] - error[..., :-distance, :]
    return across.abs().mean() + down.abs().mean()
