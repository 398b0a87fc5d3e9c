"""What a request costs, in picture credits: known exactly before it is painted.

One credit is one picture of the model's own square size (512×512 for Stable Diffusion) in 20 steps with guidance.
The shape of the formula and its three numbers come from counting the operations of Stable Diffusion 1.4 (2 × MAC):

    size      UNet step with guidance   VAE decode   20 steps and decode
    512×512           1.607 T             2.51 T           34.7 T   = 1 credit
    512×768           2.591 T             3.80 T           55.6 T   = 1.60 credits
    768×768           4.296 T             5.75 T           91.7 T   = 2.65 credits

Convolutions grow with the area, attention with its square, so a step costs 0.85 r + 0.15 r² of a native one for r
times the native area (within 1 % of the table).
"""

from __future__ import annotations

from math import ceil

from domain import ModelProfile, Request
from domain.quotas import MILLICREDITS
from engine.request.passes import SECOND_PASS_STRENGTH, first_pass_strength

STEPS_OF_A_CREDIT = 20
LINEAR_SHARE, SQUARE_SHARE = 0.85, 0.15
# A VAE decode is 2.51 / 1.607 guided UNet steps.
DECODE_STEPS = 1.56


def millicredits_for(request: Request, profile: ModelProfile) -> int:
    """The price of a request in thousandths of a credit, at least 1."""
    width, height = profile.shapes["square"]
    area = request.width * request.height / (width * height)
    steps = request.num_inference_steps
    work = _picture(steps * first_pass_strength(request) * _guided_share(request), area)
    if request.upscale > 1:
        work += _picture(steps * SECOND_PASS_STRENGTH * _guided_share(request), area * request.upscale**2)
    return max(ceil(MILLICREDITS * request.images * work / _picture(STEPS_OF_A_CREDIT, 1.0) - 1e-6), 1)


def _picture(guided_steps: float, area: float) -> float:
    """Work in guided UNet steps at the native size."""
    return guided_steps * (LINEAR_SHARE * area + SQUARE_SHARE * area**2) + DECODE_STEPS * area


def _guided_share(request: Request) -> float:
    """1 if every step runs two UNet rows, 0.5 if none does (guidance 1, or outside the guidance interval)."""
    if request.guidance_scale <= 1:
        return 0.5
    low, high = request.guidance_interval
    return 0.5 + 0.5 * max(min(high, 1.0) - max(low, 0.0), 0.0)
