"""One verdict from several models' scores, within a time limit, closed when anything goes wrong.

check(): cut out the busiest part → ask every rater about whole and part → compare the scores with the place's limits →
one report a picture, the worse one
An exception, a missing model, scores of the wrong shape or a late answer give "error" reports, which withhold.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from PIL import Image

from domain import SafetyLevel, SafetyReport, SafetyVerdict
from engine.request.image_file import flatten
from engine.safety.crops import busiest_part
from engine.safety.thresholds import judge_scores

log = logging.getLogger(__name__)

# Abandoned checks keep their thread until the model answers; more than this many at once means that it never will.
MAX_RUNNING = 4

# Models that see whole pictures only: gore is no small thing, and diffusers' checker takes two seconds a look.
WHOLE_ONLY = frozenset(("shock", "sd_checker"))

Scores = Mapping[str, float]
Work = Callable[[], list[SafetyReport]]
Runner = Callable[[Work, float], list[SafetyReport]]


class SafetyChecker(Protocol):
    """What the worker needs: pictures in, as many reports out, no exception ever."""

    def check(
        self, images: Sequence[Image.Image], level: SafetyLevel, *, strict: bool = False
    ) -> list[SafetyReport]: ...


class Rater(Protocol):
    """One model: `rate` gives for each picture its classes' probabilities (0 to 1), and may raise."""

    @property
    def name(self) -> str: ...

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]: ...


class TimedRunner:
    """Runs work on a thread of its own and gives up on it after `seconds` with TimeoutError.

    A model's native code can't be interrupted, so the thread is abandoned, and no more than `max_running` may be.
    """

    def __init__(self, max_running: int = MAX_RUNNING) -> None:
        self._slots = threading.BoundedSemaphore(max_running)

    def __call__(self, work: Work, seconds: float) -> list[SafetyReport]:
        deadline = time.monotonic() + seconds
        if not self._slots.acquire(timeout=seconds):
            raise TimeoutError("all checking threads are stuck")
        future: Future[list[SafetyReport]] = Future()
        threading.Thread(target=self._run, args=(work, future), name="picture check", daemon=True).start()
        return future.result(max(deadline - time.monotonic(), 0))

    def _run(self, work: Work, future: Future[list[SafetyReport]]) -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            future.set_exception(error)
        finally:
            self._slots.release()


class PictureChecker:
    """Judges pictures by all of `raters`. Thread-safe as long as the raters are.

    The time limit is `base_seconds` (a cold start included) plus `seconds_per_picture` for each picture.
    """

    def __init__(
        self,
        raters: Sequence[Rater],
        *,
        base_seconds: float = 30.0,
        seconds_per_picture: float = 3.0,
        runner: Runner | None = None,
    ) -> None:
        self._raters = tuple(raters)
        self._base_seconds = base_seconds
        self._seconds_per_picture = seconds_per_picture
        self._runner: Runner = TimedRunner() if runner is None else runner

    def check(self, images: Sequence[Image.Image], level: SafetyLevel, *, strict: bool = False) -> list[SafetyReport]:
        """One report a picture, in order. The picture check's border: whatever happens becomes a verdict."""
        seconds = self._base_seconds + self._seconds_per_picture * len(images)
        try:
            return self._runner(lambda: self._judge(images, level, strict), seconds)
        except TimeoutError:
            log.error("the picture check took longer than %.0f s; %d pictures are withheld", seconds, len(images))
        except Exception:
            log.exception("the picture check failed; %d pictures are withheld", len(images))
        return [SafetyReport(verdict=SafetyVerdict.ERROR) for _ in images]

    def _judge(self, images: Sequence[Image.Image], level: SafetyLevel, strict: bool) -> list[SafetyReport]:
        if not self._raters:
            raise LookupError("there is no model to judge pictures with")
        pictures = [flatten(image, "white") for image in images]  # as Discord's light theme shows what is transparent
        views = [*pictures, *map(busiest_part, pictures)]
        scores: list[dict[str, float]] = [{} for _ in views]
        for rater in self._raters:
            seen = pictures if rater.name in WHOLE_ONLY else views
            for row, found in zip(scores[: len(seen)], rater.rate(seen), strict=True):
                row.update({f"{rater.name}.{label}": probability(value) for label, value in found.items()})
        reports = [judge_scores(row, level, strict=strict) for row in scores]
        return [worse(*pair) for pair in zip(reports[: len(pictures)], reports[len(pictures) :], strict=True)]


def worse(whole: SafetyReport, part: SafetyReport) -> SafetyReport:
    """The whole picture's report, or its busiest part's if only that is unsafe."""
    return part if whole.verdict == "safe" != part.verdict else whole


def probability(value: float) -> float:
    """`value` to four digits, or ValueError if it is none: NaN would compare as harmless with every limit."""
    if not math.isfinite(value) or not -1e-3 <= value <= 1.001:
        raise ValueError(f"{value} is not a probability")
    return round(min(max(float(value), 0.0), 1.0), 4)
