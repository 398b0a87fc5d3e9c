"""What a request costs, in picture credits: known exactly before it is painted.

One credit is one picture of the model's own square size (512×512 for Stable Diffusion) in 20 steps with guidance.
The shape of the formula and its three numbers come from counting the operations of Stable Diffusion 1.4 (2 × MAC):

    size      UNet step with guidance   VAE decode   20 steps and decode
    512×512           1.607 T             2.51 T           34.7 T   = 1 credit
    512×768           2.591 T             3.80 T           55.6 T   = 1.60 credits
    768×768           4.296 T             5.75 T           91.7 T   = 2.65 credits

Convolutions grow with the area, attention with its square, so a step costs 0.85 r + 0.15 r² of a native one for r
times the native area (within 1 % of the table). An upscaled picture is decoded, enlarged and encoded again between its
two passes, and the second one is painted, encoded and decoded in windows that overlap: all of that is counted.
"""

from __future__ import annotations

from math import ceil

from domain import ModelProfile, Request
from domain.quotas import MILLICREDITS
from engine.request.passes import enlarged, passes_of
from engine.request.windows import Window, unet_windows, vae_windows

STEPS_OF_A_CREDIT = 20
LINEAR_SHARE, SQUARE_SHARE = 0.85, 0.15
# A VAE decode is 2.51 / 1.607 guided UNet steps, an encode 1.117 / 1.607.
DECODE_STEPS, ENCODE_STEPS = 1.56, 0.695


def millicredits_for(request: Request, profile: ModelProfile) -> int:
    """The price of a request in thousandths of a credit, at least 1."""
    first, *later = passes_of(request, profile)
    share, size = _guided_share(request), (request.height, request.width)
    work = _painting(first.painted_steps * share, size, profile)
    for second in later:
        width, height = enlarged(request, profile.unit)
        work += DECODE_STEPS * _vae_areas(size, profile, sparing=True)
        size = (height, width)
        work += ENCODE_STEPS * _vae_areas(size, profile)
        work += _painting(second.painted_steps * share, size, profile)
    work += DECODE_STEPS * _vae_areas(size, profile)
    of_a_credit = STEPS_OF_A_CREDIT + DECODE_STEPS
    return max(ceil(MILLICREDITS * request.images * work / of_a_credit - 1e-6), 1)


def _painting(guided_steps: float, size: tuple[int, int], profile: ModelProfile) -> float:
    """The work of steps at a size (height and width in pixels), in guided UNet steps at the native size."""
    areas = [_native_areas(window, profile) for window in unet_windows(*size, profile)]
    return guided_steps * sum(LINEAR_SHARE * area + SQUARE_SHARE * area**2 for area in areas)


def _vae_areas(size: tuple[int, int], profile: ModelProfile, *, sparing: bool = False) -> float:
    """The native areas that the VAE reads: where it goes window by window, also the whole, once to measure it."""
    windows = vae_windows(*size, profile, sparing=sparing)
    measured = [Window(0, 0, *size)] if len(windows) > 1 else []
    return sum(_native_areas(window, profile) for window in [*windows, *measured])


def _native_areas(window: Window, profile: ModelProfile) -> float:
    width, height = profile.shapes["square"]
    return window.height * window.width / (width * height)


def _guided_share(request: Request) -> float:
    """1 if every step runs two UNet rows, 0.5 if none does (guidance 1, or outside the guidance interval)."""
    if request.guidance_scale <= 1:
        return 0.5
    low, high = request.guidance_interval
    return 0.5 + 0.5 * max(min(high, 1.0) - max(low, 0.0), 0.0)
