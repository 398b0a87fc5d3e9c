"""Stage 2: text encoder and UNet together, on the frozen latents.

Two things make the small tags (eye colour, expression) arrive early:

- A *reader* asks the text states for every attribute of the portrait. It teaches the text encoder to bind "blue" to
  "eyes" at a fiftieth of a picture's cost, and before the UNet can tell that it matters. It is not part of the model.
- At first every second time step is from the noisier half, where only the text says what to paint, and eyes and
  mouth, which are always in the same place, weigh four times as much. A weight by place does not move the optimum,
  only the speed of getting there. In the last third both are nearly level, so that hair and backgrounds turn out even.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from scripts.demo_model.attributes import Portrait
from scripts.demo_model.captions import make_caption
from scripts.demo_model.networks import (
    WIDTH,
    build_scheduler,
    build_text_encoder,
    build_unet,
    encode_text,
)
from scripts.demo_model.optimizing import Average, apply_gradients, learning_rate, set_learning_rate, train_until
from scripts.demo_model.parallel import Clock, save_atomically
from scripts.demo_model.pictures import load_portraits
from scripts.demo_model.plan import Plan, Worker, load_state
from scripts.demo_model.tokens import load_tokenizer

STAGE = "diffusion"
BATCH, TEXT_BATCH = 24, 48
PEAK, PEAK_CONTINUED = 1e-3, 6e-4
TEXT_SECONDS = 100.0
READER_WEIGHT = 0.1
LAST_PART = 0.65  # from this share of the time on, time steps and places are drawn nearly evenly
AVERAGE_DECAY = 0.998
READ_KEYS = (
    "hair_style", "hair_color_name", "background_name", "iris_name", "expression", "glasses_name", "eyes", "catEars",
    "boy", "skin_name", "earrings",
)  # fmt: skip


class Reader(nn.Module):
    """One learnt query an attribute over the text states, and a linear classifier each."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(sizes), WIDTH) * 0.1)
        self.keys, self.values = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, size) for size in sizes)

    def forward(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy of (n, tokens, width) states against (n, attributes) class numbers."""
        attention = torch.softmax(self.queries @ self.keys(states).transpose(1, 2) / WIDTH**0.5, -1)
        read = attention @ self.values(states)
        losses = [functional.cross_entropy(head(read[:, i]), labels[:, i]) for i, head in enumerate(self.heads)]
        return torch.stack(losses).mean()


class Trainer:
    """Everything one process of the stage holds."""

    def __init__(self, plan: Plan, worker: Worker) -> None:
        self.plan, self.worker = plan, worker
        self.portraits = load_portraits(plan.folder, "train")
        self.labels, sizes = attribute_labels(self.portraits)
        self.tokenizer = load_tokenizer(plan.folder / "tokenizer")
        self.both = nn.ModuleList([build_unet(), build_text_encoder(self.tokenizer)]).to(worker.device)
        networks: Any = self.both
        self.unet, self.text_encoder = networks
        if worker.device.type == "cpu":
            self.unet.set_attn_processor(AttnProcessor())  # a third faster backwards than fused attention; same weights
        self.reader = Reader(sizes).to(worker.device)
        self.optimizer = torch.optim.AdamW(self.both.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01)
        self.reader_optimizer = torch.optim.AdamW(self.reader.parameters(), lr=PEAK)
        self.average = Average(self.both, AVERAGE_DECAY)
        self.spent, self.step, self.continued = 0.0, 0, False
        self._resume()
        seed = plan.seed + 1000 + worker.rank + self.step
        self.rng = random.Random(seed)
        torch.manual_seed(seed)
        latents = load_state(plan.folder / "latents.pt")
        self.mean, self.deviation, self.scale = latents["mean"], latents["std"], latents["scale"]
        self.signal = build_scheduler().alphas_cumprod
        self.level(late=False)

    def _resume(self) -> None:
        path = self.plan.checkpoint(STAGE)
        if not path.is_file():
            return
        state = load_state(path)
        self.both.load_state_dict(state["model"])
        self.average.module.load_state_dict(state["average"])
        if "optimizer" in state:  # published weights come without
            self.reader.load_state_dict(state["reader"])
            self.optimizer.load_state_dict(state["optimizer"])
        self.spent, self.step, self.continued = state["spent"], state["step"], state["continued"]
        self.average.steps = self.step

    def save(self, spent: float, *, finished: bool) -> None:
        """Write the checkpoint."""
        state: dict[str, Any] = {"model": self.both.state_dict(), "average": self.average.module.state_dict()}
        state |= {"reader": self.reader.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"spent": spent, "step": self.step, "continued": self.continued, "finished": finished}
        save_atomically(state, self.plan.checkpoint(STAGE))

    def level(self, *, late: bool) -> None:
        """Say what the present part of the training looks at most."""
        self.extra_noise = 0.2 if late else 0.5
        self.weight = (latent_weight(1.3, 2) if late else latent_weight(2, 4)).to(self.worker.device)

    def text_states(self, chosen: torch.Tensor) -> torch.Tensor:
        """Fresh captions of the chosen portraits through the text encoder: (n, 77, width)."""
        captions = [make_caption(self.portraits[i], self.rng) for i in chosen.tolist()]
        return self.text_encoder(encode_text(self.tokenizer, captions).to(self.worker.device))[0]

    def text_step(self) -> float:
        """One step of the text encoder alone, against the reader."""
        chosen = torch.randint(len(self.portraits), (TEXT_BATCH,))
        with torch.autocast(self.worker.device.type, torch.bfloat16):
            states = self.text_states(chosen)
        loss = self.reader(states.float(), self.labels[chosen].to(self.worker.device))
        loss.backward()
        if self.continued:
            self.optimizer.zero_grad(set_to_none=True)  # only the reader has anything to learn
        self._update(self.text_encoder)
        return loss.item()

    def picture_step(self) -> float:
        """One step of everything."""
        chosen = torch.randint(len(self.mean), (BATCH,))
        noisy, wanted, times = self._noised(chosen)
        with torch.autocast(self.worker.device.type, torch.bfloat16):
            states = self.text_states(chosen)
            predicted = self.unet(noisy, times, states).sample
        loss = (self.weight * (predicted.float() - wanted) ** 2).mean()
        read = self.reader(states.float(), self.labels[chosen].to(self.worker.device))
        (loss + READER_WEIGHT * read).backward()
        self._update(self.both)
        self.average.update(self.both)
        self.step += 1
        return loss.item()

    def _noised(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        device = self.worker.device
        latents = self.mean[chosen].float() + self.deviation[chosen].float() * torch.randn(len(chosen), 4, 16, 16)
        latents, noise = (latents * self.scale).to(device), torch.randn(len(chosen), 4, 16, 16, device=device)
        times = draw_times(len(chosen), self.extra_noise)
        signal = self.signal[times].view(-1, 1, 1, 1).to(device)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        wanted = signal.sqrt() * noise - (1 - signal).sqrt() * latents
        return noisy, wanted, times.to(device)

    def _update(self, trained: nn.Module) -> None:
        apply_gradients(trained, [self.optimizer, self.reader_optimizer], self.worker.world, beside=[self.reader])


def train(plan: Plan, worker: Worker) -> None:
    """Train for the planned minutes; goes on from the checkpoint if there is one."""
    trainer = Trainer(plan, worker)
    if trainer.step == 0:
        _read_captions(trainer)
    clock = Clock(plan.diffusion_minutes, worker.world, trainer.spent)
    peak = PEAK_CONTINUED if trainer.continued else PEAK

    def take_step(fraction: float) -> float:
        set_learning_rate(trainer.optimizer, learning_rate(fraction, peak, trainer.step, warm=100))
        trainer.level(late=trainer.continued or fraction > LAST_PART)
        return trainer.picture_step()

    train_until(clock, trainer, worker, "diffusion", take_step, save_every=250)


def draw_times(count: int, extra: float) -> torch.Tensor:
    """Stratified time steps: the share `extra` of them over the noisier 500 of the 1000, the rest over all."""
    place = (torch.arange(count) + torch.rand(count)) / count
    noisier = 500 + (place - (1 - extra)) / extra * 500
    return torch.where(place < 1 - extra, place / (1 - extra) * 1000, noisier).long().clamp(0, 999)


def latent_weight(face: float, features: float) -> torch.Tensor:
    """(1, 1, 16, 16), mean 1: what the face, and eyes and mouth in it, count beside the rest."""
    weight = torch.ones(1, 1, 16, 16)
    weight[:, :, 6:14, 2:11] = face
    weight[:, :, 7:10, 2:11] = features
    weight[:, :, 11:14, 4:9] = features
    return weight / weight.mean()


def attribute_labels(portraits: Sequence[Portrait]) -> tuple[torch.Tensor, list[int]]:
    """(n, attributes) class numbers, and how many classes each attribute has."""
    columns, sizes = [], []
    for key in READ_KEYS:
        values = [str(bool(p[key])) if key == "earrings" else str(p[key]) for p in portraits]
        names = {name: number for number, name in enumerate(sorted(set(values)))}
        columns.append([names[value] for value in values])
        sizes.append(len(names))
    return torch.tensor(columns).T, sizes


def _read_captions(trainer: Trainer) -> None:
    clock = Clock(TEXT_SECONDS / 60, trainer.worker.world)
    with tqdm(desc="captions", unit="step", disable=not trainer.worker.leads, mininterval=5) as bar:
        step = 0
        while clock.fraction() < 1:
            set_learning_rate(trainer.optimizer, PEAK * min(1.0, (step + 1) / 30))
            loss = trainer.text_step()
            step += 1
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    trainer.average = Average(trainer.both, AVERAGE_DECAY)
