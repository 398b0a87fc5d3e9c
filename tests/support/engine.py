"""What the engine's tests share: a small request, tasks, and jobs as the queue and the batcher take them."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from domain import Place, Request, Task
from engine.policy import approve

SMALL = Request(
    prompt="1girl, tree", width=64, height=64, num_inference_steps=4, guidance_scale=5.0, scheduler="ddim", seed=11
)
UNSAFE = {"hentai": 0.99}


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job as the fair queue sees it: nothing but what the order depends on."""

    job_id: int
    guild_key: int
    user_id: int
    cost: float
    weight: float = 1.0
    guild_weight: float = 1.0


def make_task(job_id: int = 1, request: Request = SMALL, user_id: int = 1) -> Task:
    """A task of a server's member whose prompt the policy has approved."""
    return Task(job_id=job_id, user_id=user_id, approved=approve(request, Place(guild_id=5, channel_id=6)))


def png_of(colour: str, size: tuple[int, int] = (100, 80)) -> bytes:
    """A PNG file of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()
