"""What is painted: requests, prompts and seeds that do not change from variant to variant."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace

from domain import ModelProfile, Request
from domain.frozen import frozen

USERS = 4
LIGHT_USERS = 10


@dataclass(frozen=True, slots=True)
class Order:
    """One request and who makes it; user 0 of the `flood` workload is the flooding one."""

    user_id: int
    request: Request


@frozen
class Scale:
    """How much a model is given to do, so that a run ends in reasonable time."""

    requests: int
    steps: tuple[int, int, int]


SCALES = {"tiny": Scale(requests=40, steps=(8, 12, 16)), "mid": Scale(requests=8, steps=(4, 5, 5))}
FULL = Scale(requests=32, steps=(20, 25, 30))
GUIDANCE = (4.0, 5.5, 7.0, 8.5, 10.0)
SCHEDULERS = ("ddim", "dpm++2m", "euler_a", "unipc")
WORKLOADS = ("identical", "mixed", "diverse", "flood", "cancels")


def make_orders(workload: str, profile: ModelProfile, scale: Scale, seed: int = 0) -> list[Order]:
    """`identical`: equal settings. `mixed`: three numbers of steps and five guidance scales. `diverse`: any steps and
    guidance, four solvers, two sizes. `flood`: one user asks for everything that ten light users leave. `cancels`: as
    mixed, but every fifth request is taken back while it is painted."""
    chance = random.Random(seed)
    base = _base(profile, scale)
    if workload == "flood":
        flood = [Order(0, replace(base, seed=n, prompt=_prompt(chance))) for n in range(2 * scale.requests)]
        light = [Order(1 + n, replace(base, seed=900 + n, prompt=_prompt(chance))) for n in range(LIGHT_USERS)]
        return flood + light
    makers = {"identical": _identical, "mixed": _mixed, "diverse": _diverse, "cancels": _mixed}
    requests = makers[workload](base, profile, scale, chance)
    return [Order(n % USERS, replace(request, seed=n, prompt=_prompt(chance))) for n, request in enumerate(requests)]


def _base(profile: ModelProfile, scale: Scale) -> Request:
    width, height = profile.shapes["square"]
    return Request(
        prompt="", width=width, height=height, num_inference_steps=scale.steps[1], guidance_scale=7.0,
        scheduler="ddim", seed=0,
    )  # fmt: skip


def _identical(base: Request, _profile: ModelProfile, scale: Scale, _chance: random.Random) -> list[Request]:
    return [base] * scale.requests


def _mixed(base: Request, _profile: ModelProfile, scale: Scale, chance: random.Random) -> list[Request]:
    settings = list(itertools.islice(itertools.cycle(itertools.product(scale.steps, GUIDANCE)), scale.requests))
    chance.shuffle(settings)
    return [replace(base, num_inference_steps=steps, guidance_scale=guidance) for steps, guidance in settings]


def _diverse(base: Request, profile: ModelProfile, scale: Scale, chance: random.Random) -> list[Request]:
    shapes = [profile.shapes[name] for name in ("square", "portrait")]
    sizes = [shapes[number % 2] for number in range(scale.requests)]
    return [
        replace(
            base,
            width=width,
            height=height,
            num_inference_steps=chance.randint(scale.steps[0], 2 * scale.steps[2]),
            guidance_scale=round(chance.uniform(3.0, 12.0), 1),
            scheduler=chance.choice(SCHEDULERS),
        )
        for width, height in sizes
    ]


def _prompt(chance: random.Random) -> str:
    tags = ("1girl", "smile", "pink hair", "blue eyes", "tree", "lake", "mountain", "night", "hat", "cat", "rain")
    return ", ".join(chance.sample(tags, 4))
