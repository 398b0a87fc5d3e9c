"""The picture check's rules: limits by place, and closed whatever goes wrong. Models are replaced by given scores."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from domain import SafetyLevel, SafetyReport, SafetyVerdict
from engine.safety import FixedScores, PictureChecker
from engine.safety.checker import TimedRunner
from engine.safety.thresholds import LIMITS, judge_scores

STRICT, STANDARD, ADULT = SafetyLevel.STRICT, SafetyLevel.STANDARD, SafetyLevel.ADULT
PICTURES = [Image.new("RGB", (128, 128), "white"), Image.new("RGB", (128, 128), "black")]
NAMES = sorted({name for limit in LIMITS for name in limit.weights})

all_scores = st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1))
levels = st.sampled_from(SafetyLevel)


class StuckRater:
    """Answers only once it is released."""

    name = "nsfwjs"

    def __init__(self) -> None:
        self.released = threading.Event()
        self.started = threading.Semaphore(0)

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
        self.started.release()
        self.released.wait()
        return [{"hentai": 0.0} for _ in images]


def expire(_work: Callable[[], list[SafetyReport]], _seconds: float) -> list[SafetyReport]:
    raise TimeoutError


def test_harmless_scores_are_released_everywhere() -> None:
    checker = FixedScores({"drawing": 0.9, "neutral": 0.1})
    for level in SafetyLevel:
        assert [report.verdict for report in checker.check(PICTURES, level, strict=True)] == ["safe", "safe"]


@pytest.mark.parametrize(
    ("scores", "withheld_at"),
    [
        ({"nsfwjs.hentai": 0.95}, {STRICT, STANDARD}),
        ({"nsfwjs.hentai": 0.55}, {STRICT}),
        ({"nsfwjs.porn": 0.9, "open_nsfw.nsfw": 0.9}, {STRICT, STANDARD}),
        ({"nsfwjs.porn": 0.99}, {STRICT, STANDARD}),
        ({"nsfwjs.porn": 0.9, "open_nsfw.nsfw": 0.03}, set[SafetyLevel]()),
        ({"nsfwjs.sexy": 0.9}, {STRICT}),
        ({"open_nsfw.nsfw": 0.85}, {STRICT, STANDARD}),
        ({"shock.graphic": 0.9}, {STRICT, STANDARD, ADULT}),
        ({"anime.r18": 0.8}, {STRICT, STANDARD}),
        ({"sd_checker.flagged": 1.0}, {STRICT, STANDARD}),
    ],
)
def test_each_place_has_its_limits(scores: dict[str, float], withheld_at: set[SafetyLevel]) -> None:
    assert {level for level in SafetyLevel if not judge_scores(scores, level).is_safe} == withheld_at


def test_after_an_age_word_much_less_is_enough_and_no_place_lifts_it() -> None:
    for level in SafetyLevel:
        report = FixedScores({"hentai": 0.35}).check(PICTURES[:1], level, strict=True)[0]
        assert (report.verdict, report.clause) == ("unsafe", "b")


def test_the_clause_tells_gore_from_sexual_content() -> None:
    assert judge_scores({"shock.graphic": 0.9}, STANDARD, strict=True).clause == "gore"
    assert judge_scores({"nsfwjs.hentai": 0.9}, STANDARD).clause == "adult"


@given(all_scores, levels)
def test_the_strict_check_withholds_whatever_the_ordinary_one_does(
    scores: dict[str, float], level: SafetyLevel
) -> None:
    if not judge_scores(scores, level).is_safe:
        assert not judge_scores(scores, level, strict=True).is_safe


@given(all_scores, st.booleans())
def test_a_stricter_place_withholds_whatever_a_freer_one_does(scores: dict[str, float], strict: bool) -> None:
    verdicts = [judge_scores(scores, level, strict=strict).is_safe for level in (STRICT, STANDARD, ADULT)]
    assert verdicts == sorted(verdicts)


@given(all_scores, st.sampled_from(NAMES), levels, st.booleans())
def test_a_higher_score_never_releases_a_picture(
    scores: dict[str, float], name: str, level: SafetyLevel, strict: bool
) -> None:
    if not judge_scores(scores, level, strict=strict).is_safe:
        assert not judge_scores({**scores, name: 1.0}, level, strict=strict).is_safe


def test_each_picture_gets_its_own_report_in_order() -> None:
    checker = FixedScores(lambda image: {"hentai": 1.0 if image.getpixel((0, 0)) == (0, 0, 0) else 0.0})
    assert [report.verdict for report in checker.check(PICTURES, STANDARD)] == ["safe", "unsafe"]
    assert checker.check([], STANDARD) == []


@pytest.mark.parametrize("fault", [RuntimeError("broken"), MemoryError(), FileNotFoundError("model")])
def test_a_failing_model_withholds_every_picture(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    reports = FixedScores(fault).check(PICTURES, ADULT)
    assert reports == [SafetyReport(verdict=SafetyVerdict.ERROR)] * 2
    assert "the picture check failed" in caplog.text


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5, 7.0])
def test_a_score_that_is_no_probability_withholds_the_picture(value: float) -> None:
    assert FixedScores({"hentai": value}).check(PICTURES[:1], ADULT)[0].verdict == "error"


def test_a_model_that_forgets_a_picture_withholds_them_all() -> None:
    class Forgetful:
        name = "nsfwjs"

        def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
            return [{"hentai": 0.0} for _ in images[1:]]

    assert {report.verdict for report in PictureChecker([Forgetful()]).check(PICTURES, ADULT)} == {"error"}


def test_what_is_no_picture_is_withheld() -> None:
    reports = FixedScores().check([None], ADULT)  # type: ignore[list-item]
    assert [report.verdict for report in reports] == ["error"]


def test_no_model_at_all_withholds_everything() -> None:
    assert PictureChecker([]).check(PICTURES[:1], ADULT)[0].verdict == "error"


def test_a_late_answer_withholds_the_picture(caplog: pytest.LogCaptureFixture) -> None:
    assert FixedScores({"hentai": 0.0}, runner=expire).check(PICTURES[:1], ADULT)[0].verdict == "error"
    assert "took longer than 33 s" in caplog.text


def test_a_stuck_model_does_not_hold_up_the_caller_and_is_used_again_when_it_recovers() -> None:
    rater = StuckRater()
    checker = PictureChecker([rater], base_seconds=0.05, seconds_per_picture=0.0, runner=TimedRunner(max_running=2))
    for _ in range(4):
        assert checker.check(PICTURES[:1], STANDARD)[0].verdict == "error"
    assert sum(rater.started.acquire(blocking=False) for _ in range(4)) == 2, "no more threads than allowed are stuck"
    rater.released.set()
    patient = PictureChecker([rater])
    assert patient.check(PICTURES[:1], STANDARD)[0].verdict == "safe"


class SeenRater:
    """Keeps what it was shown; finds everything harmless."""

    name = "nsfwjs"

    def __init__(self) -> None:
        self.seen: list[Image.Image] = []

    def rate(self, images: Sequence[Image.Image]) -> list[dict[str, float]]:
        self.seen += images
        return [{"neutral": 1.0} for _ in images]


def test_transparent_parts_are_judged_as_they_show_on_white() -> None:
    rater = SeenRater()
    PictureChecker([rater]).check([Image.new("RGBA", (4, 4), (255, 0, 0, 0))], STANDARD)
    assert rater.seen[0].getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "HSV", "LAB"])
def test_every_kind_of_picture_is_judged_in_rgb(mode: str) -> None:
    rater = SeenRater()
    PictureChecker([rater]).check([Image.new(mode, (5, 3))], STANDARD)
    assert {image.mode for image in rater.seen} == {"RGB"}


def test_importing_the_check_loads_no_model_library() -> None:
    code = "import sys, engine.safety; print({'torch', 'onnxruntime', 'diffusers'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
