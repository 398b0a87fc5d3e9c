"""Stage 3: the 128-pixel autoencoder on the 64-pixel latents: four times the pixels, and the UNet is not touched.

Its decoder learns to paint the full pictures from the frozen latents, its encoder to give the same latents. Half of
the latents are repainted by the trained UNet: so the decoder learns to mend what the UNet gets slightly wrong, and
paints even colours and closed lines from latents that no encoder would give. After a while an adversary joins.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

from scripts.demo_model.adversary import PEAK as ADVERSARY_PEAK
from scripts.demo_model.adversary import Adversary, adversary_loss, combined_gradient, painter_loss
from scripts.demo_model.autoencoder import face_weight, load_half_autoencoder, picture_loss
from scripts.demo_model.captions import make_prompt as portrait_caption
from scripts.demo_model.diffusion import STAGE as DIFFUSION
from scripts.demo_model.networks import (
    build_autoencoder,
    build_scheduler,
    build_text_encoder,
    build_unet,
    encode_text,
    grow_autoencoder,
)
from scripts.demo_model.optimizing import Average, apply_gradients, learning_rate, set_learning_rate, train_until
from scripts.demo_model.parallel import Clock, save_atomically
from scripts.demo_model.pictures import load_pictures, load_portraits, to_planes
from scripts.demo_model.plan import Plan, Worker, load_state
from scripts.demo_model.tokens import load_tokenizer

STAGE = "decoder"
BATCH = 8
PEAK = 1e-3
AVERAGE_DECAY = 0.998
ENCODER_EVERY = 6
ADVERSARY_FROM = 0.2  # of the time; before, lines are so blurred that telling them apart teaches nothing
LATENT_NOISE = 0.05
CLEANEST, NOISIEST = 50, 450  # of 1000 time steps: beyond them another line may be painted than the picture's
STEPS_BACK = 3


class Guesser:
    """Latents as the trained UNet paints them: noise on a picture's own, and a few guided steps back with its caption.

    Where lines run stays the picture's, so the decoder can be told what it should have painted.
    """

    def __init__(self, plan: Plan, device: torch.device, scale: float) -> None:
        self.tokenizer = load_tokenizer(plan.folder / "tokenizer")
        both = nn.ModuleList([build_unet(), build_text_encoder(self.tokenizer)])
        both.load_state_dict(load_state(plan.checkpoint(DIFFUSION))["average"])
        both.eval().requires_grad_(False).to(device)
        networks: Any = both
        self.unet, self.text_encoder = networks
        if device.type == "cpu":
            self.unet.set_attn_processor(AttnProcessor())
        self.signal, self.scale = build_scheduler().alphas_cumprod.to(device), scale

    @torch.no_grad()
    def repaint(self, latents: torch.Tensor, captions: list[str]) -> torch.Tensor:
        """(n, 4, 16, 16) unscaled latents, repainted from random time steps between CLEANEST and NOISIEST."""
        count, device = len(latents), latents.device
        states = self.text_encoder(encode_text(self.tokenizer, captions + [""] * count).to(device))[0]
        start = CLEANEST + (NOISIEST - CLEANEST) * torch.rand(count, device=device)
        guidance = 1.5 + 3 * torch.rand(count, 1, 1, 1, device=device)
        signal, noise = self._levels(start)
        noisy = signal * latents * self.scale + noise * torch.randn_like(latents)
        clean = noisy
        for step in range(STEPS_BACK):
            times = (start * (1 - step / STEPS_BACK)).long()
            signal, noise = self._levels(times)
            with torch.autocast(device.type, torch.bfloat16):
                asked, free = self.unet(noisy.repeat(2, 1, 1, 1), times.repeat(2), states).sample.float().chunk(2)
            velocity = free + guidance * (asked - free)
            clean, grain = signal * noisy - noise * velocity, noise * noisy + signal * velocity
            signal, noise = self._levels(start * (1 - (step + 1) / STEPS_BACK))
            noisy = signal * clean + noise * grain
        return clean / self.scale

    def _levels(self, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        signal = self.signal[times.long()].view(-1, 1, 1, 1)
        return signal.sqrt(), (1 - signal).sqrt()


class Trainer:
    """Everything one process of the stage holds."""

    def __init__(self, plan: Plan, worker: Worker) -> None:
        self.plan, self.worker = plan, worker
        self.model, self.adversary = build_autoencoder(), Adversary().to(worker.device)
        if not plan.checkpoint(STAGE).is_file():
            grow_autoencoder(load_half_autoencoder(plan), self.model)
        self.model.to(worker.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.0)
        self.adversary_optimizer = torch.optim.Adam(self.adversary.parameters(), lr=ADVERSARY_PEAK, betas=(0.5, 0.9))
        self.average = Average(self.model, AVERAGE_DECAY)
        self.spent, self.step, self.continued = 0.0, 0, False
        self._resume()
        self.model.encoder.requires_grad_(not self.continued)  # a published encoder made the latents, and stays
        seed = plan.seed + 300 + worker.rank + self.step
        self.rng = random.Random(seed)
        torch.manual_seed(seed)
        self._load_pictures()
        self.guesser = Guesser(plan, worker.device, self.scale)
        self.weight = face_weight(128).to(worker.device)

    def _load_pictures(self) -> None:
        self.share = self.plan.pictures // self.worker.world
        first = self.share * self.worker.rank
        self.pictures = load_pictures(self.plan.folder, "train", first, self.share)
        self.portraits = load_portraits(self.plan.folder, "train")[first:][: self.share]
        latents = load_state(self.plan.folder / "latents.pt")
        self.mean, self.deviation = (latents[key][first:][: self.share] for key in ("mean", "std"))
        self.scale = latents["scale"]

    def _resume(self) -> None:
        if not self.plan.checkpoint(STAGE).is_file():
            return
        state = load_state(self.plan.checkpoint(STAGE))
        self.model.load_state_dict(state["model"])
        self.average.module.load_state_dict(state["average"])
        self.spent, self.step, self.continued = state["spent"], state["step"], state["continued"]
        self.average.steps = self.step
        if "optimizer" in state:  # published weights come without
            self.optimizer.load_state_dict(state["optimizer"])
            self.adversary.load_state_dict(state["adversary"])
            self.adversary_optimizer.load_state_dict(state["adversary_optimizer"])

    def save(self, spent: float, *, finished: bool) -> None:
        """Write the checkpoint."""
        state: dict[str, Any] = {"model": self.model.state_dict(), "average": self.average.module.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict(), "adversary": self.adversary.state_dict()}
        state |= {"adversary_optimizer": self.adversary_optimizer.state_dict(), "spent": spent, "step": self.step}
        save_atomically(state | {"continued": self.continued, "finished": finished}, self.plan.checkpoint(STAGE))

    def train_step(self, *, adverse: bool) -> float:
        """One step of the decoder, of the encoder now and then, and of the adversary once it has joined."""
        chosen = torch.randint(self.share, (BATCH,))
        rendered = to_planes(self.pictures[chosen]).to(self.worker.device)
        mean, deviation = (part[chosen].float().to(self.worker.device) for part in (self.mean, self.deviation))
        with torch.autocast(rendered.device.type, torch.bfloat16):
            painted = self.model.decode(self._latents(chosen, mean, deviation)).sample.float()
        error = picture_loss(painted, rendered, self.weight)
        if adverse:
            verdict = painter_loss(self.adversary, painted, rendered)
            painted.backward(combined_gradient(error, verdict, painted))
        else:
            error.backward()
        if not self.continued and self.step % ENCODER_EVERY == 0:
            _encoder_loss(self.model, rendered, mean, deviation).backward()
        apply_gradients(self.model, [self.optimizer], self.worker.world)
        if adverse:
            adversary_loss(self.adversary, painted, rendered).backward()
            apply_gradients(self.adversary, [self.adversary_optimizer], self.worker.world)
        self.average.update(self.model)
        self.step += 1
        return error.item()

    def _latents(self, chosen: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
        """Half of them the encoder's with some noise, half the UNet's."""
        latents = mean + (deviation + LATENT_NOISE) * torch.randn_like(mean)
        half = len(latents) // 2
        captions = [portrait_caption(self.portraits[i], self.rng) for i in chosen[:half].tolist()]
        return torch.cat([self.guesser.repaint(mean[:half], captions), latents[half:]])


def train(plan: Plan, worker: Worker) -> None:
    """Train for the planned minutes; goes on from the checkpoint if there is one."""
    trainer = Trainer(plan, worker)
    clock = Clock(plan.decoder_minutes, worker.world, trainer.spent)

    def take_step(fraction: float) -> float:
        rate = learning_rate(fraction, PEAK, trainer.step, flat=0.3)
        set_learning_rate(trainer.optimizer, rate)
        set_learning_rate(trainer.adversary_optimizer, rate * ADVERSARY_PEAK / PEAK)
        return trainer.train_step(adverse=fraction > ADVERSARY_FROM)

    train_until(clock, trainer, worker, "decoder", take_step, save_every=200)


def load_autoencoder(plan: Plan) -> Any:
    """The trained 128-pixel autoencoder, with the latents' scaling factor in its configuration."""
    model = build_autoencoder()
    model.load_state_dict(load_state(plan.checkpoint(STAGE))["average"])
    model.register_to_config(scaling_factor=load_state(plan.folder / "latents.pt")["scale"])
    return model.eval().requires_grad_(False)


def _encoder_loss(model: Any, pictures: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    with torch.autocast(pictures.device.type, torch.bfloat16):
        posterior = model.encode(pictures).latent_dist
    off = ((posterior.mean.float() - mean) ** 2).mean() / mean.var()
    return 1.2 * off + 0.01 * ((posterior.logvar.float() - 2 * deviation.log()) ** 2).mean()
