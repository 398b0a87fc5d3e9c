"""What the engine is compared with: diffusers' own StableDiffusionPipeline on the same weights.

B0 paints one request after the other, as a bot without a batcher does; B1 is naive batching: requests of equal steps,
guidance, size and solver that wait together are given to one pipeline call, at most eight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from domain import Request
from engine.sampling.model import LoadedModel
from engine.sampling.solvers import make_scheduler

MAX_AT_ONCE = 8
Picture = NDArray[np.float32]


class Stock:
    """The stock pipeline on a loaded model's components. Pictures are [height, width, 3] floats in 0…1."""

    def __init__(self, model: LoadedModel) -> None:
        from diffusers import StableDiffusionPipeline

        self._config = model.scheduler_config
        self._pipe: Any = StableDiffusionPipeline(
            vae=model.vae,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=model.unet,
            scheduler=make_scheduler("ddim", self._config),
            safety_checker=None,  # pyright: ignore[reportArgumentType]
            feature_extractor=None,  # pyright: ignore[reportArgumentType]
            requires_safety_checker=False,
        )
        self._pipe.set_progress_bar_config(disable=True)

    @torch.inference_mode()
    def paint(self, requests: Sequence[Request]) -> list[Picture]:
        """One pipeline call for requests of equal settings, one picture each."""
        first = requests[0]
        self._pipe.scheduler = make_scheduler(first.scheduler, self._config)
        output = self._pipe(
            prompt=[request.prompt for request in requests],
            negative_prompt=[request.negative_prompt for request in requests],
            width=first.width,
            height=first.height,
            num_inference_steps=first.num_inference_steps,
            guidance_scale=first.guidance_scale,
            generator=[torch.Generator().manual_seed(request.seed) for request in requests],
            output_type="np",
        )
        return list(output.images)


def groups_of_equals(requests: Iterable[Request]) -> list[list[Request]]:
    """Requests that one call of the stock pipeline can paint together, in order of arrival."""
    groups: dict[tuple[object, ...], list[list[Request]]] = {}
    ordered: list[list[Request]] = []
    for request in requests:
        key = (request.num_inference_steps, request.guidance_scale, request.width, request.height, request.scheduler)
        same = groups.setdefault(key, [])
        if not same or len(same[-1]) == MAX_AT_ONCE:
            same.append([])
            ordered.append(same[-1])
        same[-1].append(request)
    return ordered
