"""A small subject in a wide border is judged as closely as one that fills the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from domain import SafetyLevel
from engine.safety import FixedScores
from engine.safety.checker import PictureChecker, worse
from engine.safety.crops import busiest_part
from engine.safety.thresholds import judge_scores


def drawing(side: int, box: tuple[int, int, int, int], ground: str = "white") -> Image.Image:
    """A plain ground with one subject full of detail inside `box`."""
    picture = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(picture)
    for step in range(box[0], box[2], 12):
        pen.line((step, box[1], box[2] - (step - box[0]), box[3]), fill="black", width=4)
    return picture


@pytest.mark.parametrize("box", [(200, 200, 312, 312), (0, 0, 160, 160), (350, 300, 500, 460)])
def test_the_busiest_part_holds_the_subject_and_little_else(box: tuple[int, int, int, int]) -> None:
    part = busiest_part(drawing(512, box))
    assert 0.5 * 512 >= part.width >= (box[2] - box[0]) * 0.9
    assert 0.5 * 512 >= part.height >= (box[3] - box[1]) * 0.9
    assert np.asarray(part.convert("L")).mean() < np.asarray(drawing(512, box).convert("L")).mean()


def test_a_grainy_ground_does_not_hide_where_the_subject_is() -> None:
    noise = np.random.default_rng(1).integers(0, 12, (512, 512, 3), np.uint8)
    grainy = Image.fromarray(np.asarray(drawing(512, (300, 300, 420, 420)), np.uint8) // 2 + noise)
    assert max(busiest_part(grainy).size) < 0.5 * 512


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (512, 512)])
def test_any_picture_has_a_part(size: tuple[int, int]) -> None:
    for picture in (Image.new("RGB", size), Image.effect_noise(size, 80).convert("RGB")):
        part = busiest_part(picture)
        assert part.width >= 1
        assert part.height >= 1


def test_an_unsafe_part_withholds_the_picture() -> None:
    """The model of this checker sees black as explicit, and only where it fills much of what it is shown."""

    def answer(image: Image.Image) -> dict[str, float]:
        return {"hentai": float(np.asarray(image.convert("L")).mean() < 200)}

    checker = FixedScores(answer)
    hidden = Image.new("RGB", (512, 512), "white")
    hidden.paste("black", (200, 200, 320, 320))
    assert answer(hidden) == {"hentai": 0.0}
    assert checker.check([hidden], SafetyLevel.STANDARD)[0].verdict == "unsafe"
    assert checker.check([Image.new("RGB", (512, 512), "white")], SafetyLevel.STANDARD)[0].verdict == "safe"


def test_the_whole_picture_names_the_clause_where_both_are_unsafe() -> None:
    whole = judge_scores({"nsfwjs.hentai": 0.9}, SafetyLevel.STANDARD)
    part = judge_scores({"shock.graphic": 0.9}, SafetyLevel.STANDARD)
    assert worse(whole, part) is whole
    assert worse(judge_scores({}, SafetyLevel.STANDARD), part) is part


@pytest.mark.parametrize("level", list(SafetyLevel))
def test_a_drawn_young_person_with_explicit_content_is_withheld_everywhere(level: SafetyLevel) -> None:
    report = judge_scores({"anime.young_explicit": 0.4, "anime.r18": 0.4}, level)
    assert (report.verdict, report.clause) == ("unsafe", "b")


def test_an_age_word_makes_adult_places_withhold_explicit_pictures() -> None:
    explicit = {"nsfwjs.hentai": 0.9}
    assert judge_scores(explicit, SafetyLevel.ADULT).verdict == "safe"
    strict = judge_scores(explicit, SafetyLevel.ADULT, strict=True)
    assert (strict.verdict, strict.clause) == ("unsafe", "b")


@pytest.mark.parametrize(("name", "views"), [("nsfwjs", 4), ("shock", 2), ("sd_checker", 2)])
def test_dear_models_see_whole_pictures_only(name: str, views: int) -> None:
    class Counting:
        """A model that finds nothing and counts what it is shown."""

        seen = 0

        @property
        def name(self) -> str:
            return name

        def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
            self.seen += len(images)
            return [{} for _ in images]

    rater = Counting()
    PictureChecker([rater]).check([Image.new("RGB", (64, 64))] * 2, SafetyLevel.STANDARD)
    assert rater.seen == views
