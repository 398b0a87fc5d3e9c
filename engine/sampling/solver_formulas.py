"""The solvers' formulas, written on basis vectors: what comes out are coefficients, not latents.

Every solver here is linear in what it reads: the latents X, what it remembers (H1, H2, H3, and SAVED), the model's
output M and fresh noise Z. So a formula evaluated on the seven unit vectors gives the seven coefficients of its result,
once and in double precision, and one multiply-add over all rows of a batch can then take any mixture of solvers a step
further. The formulas are those of diffusers 0.42 (tests compare each with an instance of it), which names the papers.

`a` and `s` are the signal and noise levels of the latents (a² + s² = 1, or a = 1 in the sigma-scaled family).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

X, H1, H2, H3, SAVED, M, Z = np.eye(7)
REMEMBERED = 5  # X … SAVED are kept from call to call; M and Z come new with each


class Call(NamedTuple):
    """One call of the model and what follows: the new latents, the new memory, and the clean picture it predicts.

    `level` is how much picture and how much noise the latents hold before the call, `scale` what the model's
    input is multiplied by.
    """

    x: Vector
    clean: Vector
    level: tuple[float, float]
    scale: float = 1.0
    h1: Vector = H1
    h2: Vector = H2
    h3: Vector = H3
    saved: Vector = SAVED


@dataclass(frozen=True, slots=True)
class Schedule:
    """A diffusers scheduler after `set_timesteps`, and the step to begin at (later than 0 for image to image)."""

    scheduler: Any
    steps: int
    begin: int = 0

    @property
    def sigmas(self) -> list[float]:
        """Noise levels from the first step that is taken on."""
        return self.array("sigmas")[self.begin :]

    def array(self, name: str) -> list[float]:
        """One of the scheduler's arrays, as floats."""
        return [float(value) for value in getattr(self.scheduler, name)]

    def clean(self, x: Vector, a: float, s: float) -> Vector:
        """The picture that the model predicts from `x` at signal level a and noise level s (a² + s² = 1)."""
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return (x - s * M) / a
            case "v_prediction":
                return a * x - s * M
            case "sample":
                return M
            case other:
                raise ValueError(f"unknown prediction type {other!r}")

    def clean_at(self, sigma: float) -> Vector:
        """The picture that the model predicts from sigma-scaled latents X (a = 1, s = sigma)."""
        a = signal(sigma)
        return self.clean(a * X, a, sigma * a)

    def cumulative_alpha(self, timestep: int) -> float:
        """The squared signal level at a timestep; before the first one, the scheduler's final level."""
        if timestep < 0:
            return float(self.scheduler.final_alpha_cumprod)
        return float(self.scheduler.alphas_cumprod[timestep])


def signal(sigma: float) -> float:
    """The signal level a at which the noise level is sigma times as large, with a² + s² = 1."""
    return 1.0 / math.sqrt(sigma * sigma + 1.0)


def ddim(schedule: Schedule) -> Iterator[Call]:
    """DDIM without noise, arXiv 2010.02502 formula (12)."""
    stride = schedule.scheduler.config.num_train_timesteps // schedule.steps
    for timestep in (int(t) for t in schedule.array("timesteps")[schedule.begin :]):
        here, there = schedule.cumulative_alpha(timestep), schedule.cumulative_alpha(timestep - stride)
        a, s = math.sqrt(here), math.sqrt(1 - here)
        clean = schedule.clean(X, a, s)
        # v-prediction is written out, because a is 0 at a zero terminal signal-to-noise ratio.
        is_velocity = schedule.scheduler.config.prediction_type == "v_prediction"
        noise = a * M + s * X if is_velocity else (X - a * clean) / s
        yield Call(x=math.sqrt(there) * clean + math.sqrt(1 - there) * noise, clean=clean, level=(a, s))


_ADAMS_BASHFORTH = {2: (3 / 2, -1 / 2), 3: (23 / 12, -16 / 12, 5 / 12), 4: (55 / 24, -59 / 24, 37 / 24, -9 / 24)}


def plms_timesteps(schedule: Schedule) -> list[int]:
    """The second step is taken twice: its first result only corrects the first step."""
    own = [int(t) for t in schedule.array("timesteps")]
    once = own[:2] + own[3:]
    left = once[schedule.begin :]
    return left[:2] + left[1:]


def plms(schedule: Schedule) -> Iterator[Call]:
    """PNDM without Runge-Kutta steps, arXiv 2202.09778 formulas (9) and (12)."""
    stride = schedule.scheduler.config.num_train_timesteps // schedule.steps
    for number, timestep in enumerate(plms_timesteps(schedule)):
        is_correction = number == 1
        source = timestep + stride if is_correction else timestep
        origin = SAVED if is_correction else X
        if is_correction:
            mean = (M + H1) / 2
        elif number == 0:
            mean = M
        else:
            weights = _ADAMS_BASHFORTH[min(number, 4)]
            mean = np.asarray(sum(weight * output for weight, output in zip(weights, (M, H1, H2, H3), strict=False)))
        here, there = schedule.cumulative_alpha(source), schedule.cumulative_alpha(source - stride)
        if schedule.scheduler.config.prediction_type == "v_prediction":
            mean = math.sqrt(here) * mean + math.sqrt(1 - here) * origin
        divisor = here * math.sqrt(1 - there) + math.sqrt(here * (1 - here) * there)
        at = schedule.cumulative_alpha(timestep)
        level = (math.sqrt(at), math.sqrt(1 - at))
        x = math.sqrt(there / here) * origin - (there - here) / divisor * mean
        clean = schedule.clean(X, *level)
        if is_correction:
            yield Call(x=x, clean=clean, level=level)
        else:
            yield Call(x=x, clean=clean, level=level, h1=M, h2=H1, h3=H2, saved=X)


def euler(schedule: Schedule) -> Iterator[Call]:
    """Euler's method on the probability flow, arXiv 2206.00364 algorithm 2 without churn."""
    for sigma, after in pairwise(schedule.sigmas):
        clean = schedule.clean_at(sigma)
        slope = (X - clean) / sigma
        yield Call(x=X + (after - sigma) * slope, clean=clean, level=(1.0, sigma), scale=signal(sigma))


def euler_ancestral(schedule: Schedule) -> Iterator[Call]:
    """Euler steps that go further down and add noise back."""
    for sigma, after in pairwise(schedule.sigmas):
        up = math.sqrt(after**2 * (sigma**2 - after**2) / sigma**2)
        down = math.sqrt(after**2 - up**2)
        clean = schedule.clean_at(sigma)
        yield Call(
            x=X + (down - sigma) * (X - clean) / sigma + up * Z, clean=clean, level=(1.0, sigma), scale=signal(sigma)
        )


def lms(schedule: Schedule) -> Iterator[Call]:
    """Linear multistep of order 4: the slopes' interpolation polynomial, integrated exactly."""
    sigmas = schedule.sigmas
    for number, (sigma, after) in enumerate(pairwise(sigmas)):
        clean = schedule.clean_at(sigma)
        slope = (X - clean) / sigma
        nodes = sigmas[max(number - 3, 0) : number + 1][::-1]
        slopes = (slope, H1, H2, H3)
        x = X + sum(_lagrange_integral(nodes, k, sigma, after) * slopes[k] for k in range(len(nodes)))
        yield Call(
            x=x, clean=clean, level=(1.0, sigma), scale=signal(sigma), h1=slope, h2=H1, h3=H2
        )  # fmt: skip


def _lagrange_integral(nodes: list[float], chosen: int, start: float, end: float) -> float:
    """In units of the step and from its start, because fourth powers of large sigmas would eat all digits."""
    step = end - start
    places = [(node - start) / step for node in nodes]
    others = [place for number, place in enumerate(places) if number != chosen]
    polynomial = np.poly1d(others, r=True) / math.prod(places[chosen] - place for place in others)
    return step * float(np.polyint(polynomial)(1.0))


def heun(schedule: Schedule) -> Iterator[Call]:
    """Heun's method, arXiv 2206.00364 algorithm 1 without churn: a trial step, then the mean of both slopes."""
    sigmas = schedule.array("sigmas")[2 * schedule.begin :: 2]  # each but the first stands there twice
    for number, (sigma, after) in enumerate(pairwise([*sigmas, 0.0] if sigmas[-1] else sigmas)):
        clean = schedule.clean_at(sigma)
        slope = (X - clean) / sigma
        x = X + (after - sigma) * slope
        yield Call(x=x, clean=clean, level=(1.0, sigma), scale=signal(sigma), h1=slope, saved=X)
        if number == schedule.steps - schedule.begin - 1:
            return  # the last trial step is the result
        clean = schedule.clean_at(after)
        mean = (H1 + (X - clean) / after) / 2
        yield Call(x=SAVED + (after - sigma) * mean, clean=clean, level=(1.0, after), scale=signal(after))


def dpm2(schedule: Schedule) -> Iterator[Call]:
    """DPM-Solver-2, arXiv 2206.00927: the slope at the geometric middle takes the whole step."""
    sigmas, middles = schedule.array("sigmas"), schedule.array("sigmas_interpol")
    for step in range(schedule.begin, schedule.steps):
        yield from _middle_step(schedule, step, sigmas[2 * step], middles[2 * step + 1], sigmas[2 * step + 1], 0.0)


def dpm2_ancestral(schedule: Schedule) -> Iterator[Call]:
    """DPM-Solver-2 down to a lower level, and noise on top."""
    names = ("sigmas", "sigmas_interpol", "sigmas_down", "sigmas_up")
    sigmas, middles, downs, ups = (schedule.array(name) for name in names)
    for step in range(schedule.begin, schedule.steps):
        at = 2 * step
        yield from _middle_step(schedule, step, sigmas[at], middles[at], downs[at], ups[at])


def _middle_step(schedule: Schedule, step: int, sigma: float, middle: float, down: float, up: float) -> Iterator[Call]:
    clean = schedule.clean_at(sigma)
    x = X + (middle - sigma) * (X - clean) / sigma
    yield Call(x=x, clean=clean, level=(1.0, sigma), scale=signal(sigma), saved=X)
    if step < schedule.steps - 1:
        clean = schedule.clean_at(middle)
        x = SAVED + (down - sigma) * (X - clean) / middle + up * Z
        yield Call(x=x, clean=clean, level=(1.0, middle), scale=signal(middle))


def dpm_multistep(schedule: Schedule) -> Iterator[Call]:
    """DPM-Solver++(2M), arXiv 2211.01095 algorithm 2."""
    sigmas = schedule.sigmas
    for number, (sigma, after) in enumerate(pairwise(sigmas)):
        a, s = signal(sigma), sigma * signal(sigma)
        clean = schedule.clean(X, a, s)
        direction = clean
        if number > 0 and after > 0.0:  # the last step, to a clean picture, is of the first order
            ratio = math.log(sigma / after) / math.log(sigmas[number - 1] / sigma)
            direction = clean + 0.5 * ratio * (clean - H1)
        # exp(-h) of the papers is the ratio of the two sigmas.
        x = signal(after) * (after / s * X + (1 - after / sigma) * direction)
        yield Call(x=x, clean=clean, level=(a, s), h1=clean)


def unipc(schedule: Schedule) -> Iterator[Call]:
    """UniPC of order 2 with B₂(h), arXiv 2302.04867: each call first corrects the step before, then predicts."""
    sigmas = schedule.sigmas
    order = 1
    for number, (sigma, after) in enumerate(pairwise(sigmas)):
        a, s = signal(sigma), sigma * signal(sigma)
        clean = schedule.clean(X, a, s)
        corrected = X if number == 0 else _unipc_corrected(sigmas, number, clean, order)
        order = min(2, len(sigmas) - 1 - number, number + 1)
        direction = clean
        if order == 2:
            ratio = math.log(sigma / after) / math.log(sigmas[number - 1] / sigma)
            direction = clean + 0.5 * ratio * (clean - H1)
        x = signal(after) * (after / s * corrected + (1 - after / sigma) * direction)
        yield Call(x=x, clean=clean, level=(a, s), h1=clean, h2=H1, saved=corrected)


def _unipc_corrected(sigmas: list[float], number: int, clean: Vector, order: int) -> Vector:
    before, sigma = sigmas[number - 1], sigmas[number]
    h = math.log(before / sigma)
    phi = math.expm1(-h)
    change = clean - H1
    if order == 1:
        direction = 0.5 * change
    else:
        ratio = -math.log(sigmas[number - 2] / before) / h
        first = phi / -h - 1
        right = np.array([first / phi, (first / -h - 0.5) * 2 / phi])
        weights = np.linalg.solve(np.array([[1.0, 1.0], [ratio, 1.0]]), right)
        direction = weights[0] * (H2 - H1) / ratio + weights[1] * change
    s_before = before * signal(before)
    return signal(sigma) * (sigma / s_before * SAVED - phi * (H1 + direction))
