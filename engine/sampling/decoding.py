"""From finished latents to images: batched, but never so long that the others wait for more than two steps.

Pictures of people who have more to come wait a few steps for company; a person's last one never does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from PIL import Image

from domain import Request
from engine.request.passes import enlarged
from engine.sampling.enlarging import enlarge_image
from engine.sampling.pipeline import Pipeline, to_images
from engine.sampling.row_selection import Bucket
from engine.sampling.sample import TOO_LARGE, Sample

log = logging.getLogger(__name__)

MAX_AT_ONCE = 8
PATIENCE_STEPS = 3
BROKEN = "This picture could not be decoded; nothing was charged."
_SMOOTHING = 0.3


@dataclass(frozen=True, slots=True)
class Decoded:
    """A sample's picture, or the sentence that says why there is none."""

    sample: Sample
    image: Image.Image | None
    failure: str | None = None


class Decoder:
    """Finished samples that wait for the VAE."""

    def __init__(self, pipeline: Pipeline, clock: Callable[[], float] = time.monotonic) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._waiting: list[tuple[Sample, torch.Tensor]] = []
        self._seconds: dict[Bucket, float] = {}
        self._max_at_once = 1 if pipeline.reproducible else MAX_AT_ONCE
        self._is_sparing = False
        self._steps_waited = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sample: Sample) -> None:
        """Take a finished sample's latents; its place in the batch may be given away afterwards."""
        self._waiting.append((sample, sample.latents.clone()))

    def remove(self, job_id: int) -> None:
        """Forget a job's samples."""
        self._waiting = [pair for pair in self._waiting if pair[0].job_id != job_id]

    def is_due(self, expecting: Collection[int]) -> bool:
        """Asked once after each step: whether to decode now, while these members have more pictures to come."""
        if not self._waiting:
            return False
        self._steps_waited += 1
        urgent = any(sample.user_id not in expecting for sample, _ in self._waiting)
        return urgent or len(self._waiting) >= self._max_at_once or self._steps_waited > PATIENCE_STEPS

    def decode(self, budget_seconds: float, expecting: Collection[int] = ()) -> list[Decoded]:
        """As many pictures of one size as the budget allows, at least one.

        Where somebody waits for their last picture, only such ones: those of the members in `expecting` have time.
        """
        self._steps_waited = 0
        candidates = [pair for pair in self._waiting if pair[0].user_id not in expecting] or self._waiting
        size = candidates[0][1].shape
        same = [pair for pair in candidates if pair[1].shape == size]
        part = same[: self._how_many(tuple(size), budget_seconds)]
        started = self._clock()
        while True:
            try:
                decoded = self._decode(part)
                break
            except torch.OutOfMemoryError:
                if not self._ask_for_less():
                    decoded = [Decoded(part[0][0], None, TOO_LARGE)]
                    break
                part = part[: self._max_at_once]
        done = {id(one.sample) for one in decoded}
        self._waiting = [pair for pair in self._waiting if id(pair[0]) not in done]
        self._measure(tuple(size), (self._clock() - started) / len(decoded))
        return decoded

    def _how_many(self, size: Bucket, budget_seconds: float) -> int:
        seconds = self._seconds.get(size)
        if seconds is None or budget_seconds >= seconds * self._max_at_once:
            return self._max_at_once if seconds is not None or budget_seconds == float("inf") else 1
        return max(int(budget_seconds / max(seconds, 1e-9)), 1)

    def _measure(self, size: Bucket, seconds: float) -> None:
        known = self._seconds.get(size, seconds)
        self._seconds[size] = known + _SMOOTHING * (seconds - known)

    def _decode(self, part: list[tuple[Sample, torch.Tensor]]) -> list[Decoded]:
        pixels = self._pipeline.decode(torch.stack([latents for _, latents in part]))
        return [self._picture(sample, latents, own) for (sample, latents), own in zip(part, pixels, strict=True)]

    def _picture(self, sample: Sample, latents: torch.Tensor, pixels: torch.Tensor) -> Decoded:
        is_half = self._pipeline.vae_dtype != torch.float32
        if not torch.isfinite(pixels).all() and is_half and torch.isfinite(latents).all():
            log.warning("the VAE overflowed in half precision; decoding one picture again in float32")
            pixels = self._pipeline.decode_exactly(latents[None])[0]
        if not torch.isfinite(pixels).all():
            return Decoded(sample, None, BROKEN)
        return Decoded(sample, enlarge_image(to_images(pixels[None])[0], self._size(sample.request)))

    def _size(self, request: Request) -> tuple[int, int]:
        return enlarged(request, self._pipeline.model.profile.unit)

    def _ask_for_less(self) -> bool:
        """After running out of memory: fewer pictures at once, then windows; False if there is nothing left to try."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self._max_at_once > 1:
            self._max_at_once //= 2
        elif not self._is_sparing:
            self._is_sparing = True
            self._pipeline.decode_in_windows()
        else:
            return False
        return True
