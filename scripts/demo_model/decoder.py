"""Stage 3: the 128-pixel autoencoder on the 64-pixel one's latents: four times the pixels, and the UNet is not touched.

Its decoder learns to paint the full pictures from the frozen latents, its encoder to give the same latents. Half of
the latents are the trained UNet's own guesses from slightly noisy ones: so the decoder learns to mend what the UNet
gets slightly wrong, and paints even colours and closed lines from latents that no encoder would give.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from tqdm import tqdm

from scripts.demo_model.autoencoder import face_weight, load_half_autoencoder, picture_loss
from scripts.demo_model.diffusion import STAGE as DIFFUSION
from scripts.demo_model.networks import (
    build_autoencoder,
    build_scheduler,
    build_text_encoder,
    build_unet,
    encode_text,
    grow_autoencoder,
)
from scripts.demo_model.parallel import (
    Average,
    Clock,
    average_gradients,
    learning_rate,
    save_atomically,
    set_learning_rate,
)
from scripts.demo_model.pictures import load_pictures, to_planes
from scripts.demo_model.plan import Plan, Worker, load_state
from scripts.demo_model.tokens import load_tokenizer

STAGE = "decoder"
BATCH = 8
PEAK = 1.5e-3
ENCODER_EVERY = 6
LATENT_NOISE = 0.05
NOISIEST = 250  # of 1000 time steps: beyond it the guess no longer tells where a line runs


class Guesser:
    """The trained UNet's guess of a picture's latents, from the latents and some noise, without any prompt."""

    def __init__(self, plan: Plan, device: torch.device, scale: float) -> None:
        tokenizer = load_tokenizer(plan.folder / "tokenizer")
        both = nn.ModuleList([build_unet(), build_text_encoder(tokenizer)])
        both.load_state_dict(load_state(plan.checkpoint(DIFFUSION))["average"])
        both.eval().requires_grad_(False).to(device)
        networks: Any = both
        self.unet, text_encoder = networks
        if device.type == "cpu":
            self.unet.set_attn_processor(AttnProcessor())
        self.states = text_encoder(encode_text(tokenizer, [""]).to(device))[0]
        self.signal, self.scale = build_scheduler().alphas_cumprod.to(device), scale

    @torch.no_grad()
    def guess(self, latents: torch.Tensor) -> torch.Tensor:
        """(n, 4, 16, 16) unscaled latents, each as the UNet sees it at a random time step below NOISIEST."""
        times = torch.randint(0, NOISIEST, (len(latents),), device=latents.device)
        signal = self.signal[times].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents * self.scale + (1 - signal).sqrt() * torch.randn_like(latents)
        with torch.autocast(latents.device.type, torch.bfloat16):
            velocity = self.unet(noisy, times, self.states.expand(len(latents), -1, -1)).sample.float()
        return (signal.sqrt() * noisy - (1 - signal).sqrt() * velocity) / self.scale


def train(plan: Plan, worker: Worker) -> None:
    """Train for the planned minutes; goes on from the checkpoint if there is one."""
    model = build_autoencoder()
    grow_autoencoder(load_half_autoencoder(plan), model)
    model.to(worker.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.0)
    average, spent, step = Average(model, 0.995), 0.0, 0
    if plan.checkpoint(STAGE).is_file():
        state = load_state(plan.checkpoint(STAGE))
        model.load_state_dict(state["model"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        spent, step = state["spent"], state["step"]
    torch.manual_seed(plan.seed + 300 + worker.rank + step)
    share = plan.pictures // worker.world
    pictures = load_pictures(plan.folder, "train", share * worker.rank, share)
    latents = load_state(plan.folder / "latents.pt")
    mean, deviation = (latents[key][share * worker.rank :][:share] for key in ("mean", "std"))
    guesser = Guesser(plan, worker.device, latents["scale"])
    weight, clock = face_weight(128).to(worker.device), Clock(plan.decoder_minutes, worker.world, spent)

    def save(*, finished: bool) -> None:
        state = {"model": model.state_dict(), "average": average.module.state_dict()}
        state |= {"optimizer": optimizer.state_dict(), "spent": clock.spent_seconds, "step": step}
        save_atomically(state | {"finished": finished}, plan.checkpoint(STAGE))

    with tqdm(desc="decoder", unit="step", disable=not worker.leads, mininterval=5) as bar:
        while (fraction := clock.fraction()) < 1:
            set_learning_rate(optimizer, learning_rate(fraction, PEAK, step, flat=0.3))
            chosen = torch.randint(share, (BATCH,))
            planes = to_planes(pictures[chosen]).to(worker.device)
            centre = mean[chosen].float().to(worker.device)
            spread = deviation[chosen].float().to(worker.device)
            loss = _decoder_loss(model, guesser, planes, centre, spread, weight)
            if step % ENCODER_EVERY == 0:
                loss = loss + _encoder_loss(model, planes, centre, spread)
            loss.backward()
            average_gradients(list(model.parameters()), worker.world)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            average.update(model)
            step += 1
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}", done=f"{fraction:.0%}", refresh=False)
            if worker.leads and step % 200 == 0:
                save(finished=False)
    if worker.leads:
        save(finished=True)


def load_autoencoder(plan: Plan) -> Any:
    """The trained 128-pixel autoencoder, with the latents' scaling factor in its configuration."""
    model = build_autoencoder()
    model.load_state_dict(load_state(plan.checkpoint(STAGE))["average"])
    model.register_to_config(scaling_factor=load_state(plan.folder / "latents.pt")["scale"])
    return model.eval().requires_grad_(False)


def _decoder_loss(
    model: Any,
    guesser: Guesser,
    pictures: torch.Tensor,
    mean: torch.Tensor,
    deviation: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    latents = mean + (deviation + LATENT_NOISE) * torch.randn_like(mean)
    half = len(latents) // 2
    latents = torch.cat([guesser.guess(latents[:half]), latents[half:]])
    with torch.autocast(pictures.device.type, torch.bfloat16):
        painted = model.decode(latents).sample
    return picture_loss(painted.float(), pictures, weight)


def _encoder_loss(model: Any, pictures: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    with torch.autocast(pictures.device.type, torch.bfloat16):
        posterior = model.encode(pictures).latent_dist
    off = ((posterior.mean.float() - mean) ** 2).mean() / mean.var()
    return 1.2 * off + 0.01 * ((posterior.logvar.float() - 2 * deviation.log()) ** 2).mean()
