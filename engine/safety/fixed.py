"""A checker whose model is replaced by given scores: everything else (limits, borders, faults) is the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from domain import SafetyLevel, SafetyReport
from engine.safety.checker import PictureChecker, Runner

Answer = Mapping[str, float] | Exception | Callable[[Image.Image], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class FixedRater:
    """Gives every picture the same classes, computes them from it, or raises; `name` is the replaced model's."""

    name: str
    answer: Answer = field(default_factory=dict[str, float])

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
        return [self._scores(image) for image in images]

    def _scores(self, image: Image.Image) -> dict[str, float]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict(self.answer(image) if callable(self.answer) else self.answer)


class FixedScores:
    """`FixedScores({"hentai": 0.99})` answers as if the drawing model had said so; an exception becomes "error".

    A function of the picture may give each its own scores. Without an answer every picture is safe.
    """

    def __init__(self, answer: Answer | None = None, *, name: str = "nsfwjs", runner: Runner | None = None) -> None:
        self._checker = PictureChecker([FixedRater(name, {} if answer is None else answer)], runner=runner)

    def check(self, images: Sequence[Image.Image], level: SafetyLevel, *, strict: bool = False) -> list[SafetyReport]:
        return self._checker.check(images, level, strict=strict)
