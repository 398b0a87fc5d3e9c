"""Step-level batching: every tick is one UNet call over rows of different requests.

Requests join and leave between steps, whatever their steps, guidance, solver or prompt; only the size must be equal
(one bucket a tick, buckets take turns by the cost they were served). Rows are padded to fixed counts, so that a row's
numbers do not depend on its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from domain import Request
from engine.pipeline import Pipeline, stack
from engine.solvers import make_scheduler

ROW_COUNTS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(slots=True, eq=False)
class Sample:
    """One picture on its way from noise: its latents, its own solver, and the step it has reached."""

    job_id: int
    seed: int
    request: Request
    latents: torch.Tensor
    generator: torch.Generator
    scheduler: Any
    timesteps: torch.Tensor
    prompt_embeds: torch.Tensor
    negative_embeds: torch.Tensor
    step: int = 0
    pending: torch.Tensor | None = None
    blend: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None  # start latents, noise, mask
    failure: str | None = None
    extra: dict[str, bool] = field(default_factory=dict[str, bool])

    @property
    def bucket(self) -> tuple[int, ...]:
        """Size and prompt length: only equal ones share a call."""
        return (*self.latents.shape[2:], self.prompt_embeds.shape[1])

    @property
    def total_steps(self) -> int:
        return len(self.timesteps)

    @property
    def is_finished(self) -> bool:
        return self.step >= self.total_steps

    @property
    def is_guided(self) -> bool:
        """Whether this step needs a second row for the negative prompt."""
        share = self.step / max(self.total_steps, 1)
        low, high = self.request.guidance_interval
        return self.request.guidance_scale > 1.0 and low <= share <= high

    @property
    def rows(self) -> int:
        return 2 if self.is_guided else 1


class Batcher:
    """Holds the samples that are being painted. `step` advances one bucket by one UNet call."""

    def __init__(
        self,
        pipeline: Pipeline,
        max_rows: int = 16,
        reproducible: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline = pipeline
        self._max_rows = max_rows
        self._reproducible = reproducible
        self._clock = clock
        self._samples: list[Sample] = []
        self._served: dict[tuple[int, ...], float] = {}
        self.row_seconds = 0.05
        self.calls = self.rows = self.padding = 0

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def has_room(self) -> bool:
        return sum(sample.rows for sample in self._samples) < 2 * self._max_rows

    # ---- admit -----------------------------------------------------------------------------------------------------

    def admit(self, job_id: int, request: Request, start: Start | None = None) -> list[Sample]:
        """Let a request's pictures in; they join at the next step."""
        embeds, negative = self._pipeline.encode_prompt(request)
        samples = [
            self._sample(job_id, request, request.seed + number, embeds, negative, start)
            for number in range(request.images)
        ]
        self._samples.extend(samples)
        return samples

    def _sample(
        self,
        job_id: int,
        request: Request,
        seed: int,
        embeds: torch.Tensor,
        negative: torch.Tensor,
        start: Start | None,
    ) -> Sample:
        scheduler = make_scheduler(request.scheduler, self._pipeline.model.scheduler_config)
        scheduler.set_timesteps(request.num_inference_steps)
        noise, generator = self._pipeline.noise(request, seed)
        timesteps, blend = scheduler.timesteps, None
        if start is None:
            latents = noise * scheduler.init_noise_sigma
        else:
            timesteps = _late_timesteps(scheduler, request)
            latents = scheduler.add_noise(start.latents, noise, timesteps[:1])
            blend = (start.latents, noise, start.mask) if start.mask is not None else None
        return Sample(job_id, seed, request, latents, generator, scheduler, timesteps, embeds, negative, blend=blend)

    def remove(self, job_id: int) -> None:
        """Forget a job's samples; their rows are gone at the next step."""
        self._samples = [sample for sample in self._samples if sample.job_id != job_id]

    # ---- step ------------------------------------------------------------------------------------------------------

    def step(self) -> list[Sample]:
        """One UNet call for one bucket; the samples that moved. A sample whose numbers break carries `failure`."""
        batch = self._choose()
        started = self._clock()
        rows = [self._rows_of(sample) for sample in batch]
        count = sum(sample.rows for sample in batch)
        padded = self._padded(count)
        predictions = self._pipeline.predict(
            stack([row.latents for row in rows], padded),
            stack([row.timesteps for row in rows], padded),
            stack([row.embeds for row in rows], padded),
        )
        self._advance(batch, predictions)
        seconds = self._clock() - started
        bucket = batch[0].bucket
        self._served[bucket] = self._served.get(bucket, 0.0) + seconds
        self.row_seconds += 0.1 * (seconds / count - self.row_seconds)
        self.calls, self.rows, self.padding = self.calls + 1, self.rows + count, self.padding + padded - count
        self._samples = [sample for sample in self._samples if not sample.is_finished and sample.failure is None]
        return batch

    def _choose(self) -> list[Sample]:
        """The bucket that was served least, oldest samples first, as many as fit."""
        buckets = {sample.bucket for sample in self._samples}
        self._served = {bucket: self._served.get(bucket, min(self._served.values(), default=0.0)) for bucket in buckets}
        bucket = min(buckets, key=lambda key: self._served[key])
        batch: list[Sample] = []
        room = self._max_rows
        for sample in self._samples:
            if sample.bucket == bucket and sample.rows <= room:
                batch.append(sample)
                room -= sample.rows
        # Whoever was left out goes first next time.
        chosen = set(map(id, batch))
        self._samples.sort(key=lambda sample: id(sample) in chosen)
        return batch

    def _padded(self, count: int) -> int:
        if self._reproducible:
            return self._max_rows
        return next(rows for rows in ROW_COUNTS if rows >= count)

    def _rows_of(self, sample: Sample) -> _Rows:
        timestep = sample.timesteps[sample.step]
        scaled = sample.scheduler.scale_model_input(sample.latents, timestep)
        guided = sample.is_guided
        return _Rows(
            scaled.repeat(sample.rows, 1, 1, 1),
            timestep.float().reshape(1).repeat(sample.rows),
            torch.cat([sample.prompt_embeds, sample.negative_embeds]) if guided else sample.prompt_embeds,
        )

    def _advance(self, batch: list[Sample], predictions: torch.Tensor) -> None:
        """Guidance and solver update, for each sample on its own."""
        offset = 0
        for sample in batch:
            own = predictions[offset : offset + sample.rows]
            offset += sample.rows
            if not torch.isfinite(own).all():
                sample.failure = "The model gave values that are not numbers for this picture; nothing was charged."
                continue
            prediction = own[:1]
            if sample.is_guided:
                prediction = own[1:] + sample.request.guidance_scale * (own[:1] - own[1:])
            timestep = sample.timesteps[sample.step]
            sample.latents = _solver_step(sample, prediction, timestep)
            sample.step += 1
            _blend(sample)


@dataclass(frozen=True, slots=True)
class Start:
    """Where an image-to-image request begins: its latents [1, 4, h, w], and for inpainting a mask [1, 1, h, w]."""

    latents: torch.Tensor
    mask: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class _Rows:
    latents: torch.Tensor
    timesteps: torch.Tensor
    embeds: torch.Tensor


def _late_timesteps(scheduler: Any, request: Request) -> torch.Tensor:
    """The last `strength` of the steps, as diffusers' image-to-image pipeline takes them."""
    steps = min(int(request.num_inference_steps * request.strength), request.num_inference_steps)
    first = max(len(scheduler.timesteps) - max(steps, 1) * scheduler.order, 0)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return scheduler.timesteps[first:]


def _solver_step(sample: Sample, prediction: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    import inspect

    takes_generator = "generator" in inspect.signature(sample.scheduler.step).parameters
    extra = {"generator": sample.generator} if takes_generator else {}
    return sample.scheduler.step(prediction, timestep, sample.latents, return_dict=False, **extra)[0]


def _blend(sample: Sample) -> None:
    """Inpainting: outside the mask the picture stays the start picture at the current noise level."""
    if sample.blend is None:
        return
    start, noise, mask = sample.blend
    if not sample.is_finished:
        start = sample.scheduler.add_noise(start, noise, sample.timesteps[sample.step : sample.step + 1])
    sample.latents = mask * sample.latents + (1 - mask) * start
