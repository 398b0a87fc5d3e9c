"""The passes of a request: one, or a second and larger one where a picture is upscaled while it is painted."""

from __future__ import annotations

from dataclasses import replace

from domain import Request
from engine.request.schedulers import calls_of

# Share of the steps that the second pass repaints: its work and its price.
SECOND_PASS_STRENGTH = 0.5


def first_pass_strength(request: Request) -> float:
    """Share of the steps that the first pass paints: all of them, unless an init image is painted on."""
    return request.strength if request.init_image is not None else 1.0


def strengths_of(request: Request) -> tuple[float, ...]:
    """The share of the steps that each pass paints."""
    first = first_pass_strength(request)
    return (first, SECOND_PASS_STRENGTH) if request.upscale > 1.0 else (first,)


def calls_for(request: Request) -> int:
    """Calls of the model for one picture of a request, over all passes (exact but for late starts)."""
    steps = request.num_inference_steps
    return sum(calls_of(request.scheduler, max(int(steps * strength), 1)) for strength in strengths_of(request))


def enlarged(request: Request, unit: int) -> tuple[int, int]:
    """Width and height of an upscaled request's second pass: the nearest multiples of `unit` pixels."""
    width, height = (round(side * request.upscale / unit) * unit for side in (request.width, request.height))
    return max(width, request.width), max(height, request.height)


def second_pass(request: Request, unit: int) -> Request:
    """The request that the second pass paints: larger, and not upscaled again."""
    width, height = enlarged(request, unit)
    return replace(request, width=width, height=height, upscale=1.0)
