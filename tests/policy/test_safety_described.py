"""The operator's own rater: an ONNX file and a TOML file that says how to feed and read it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from domain import SafetyLevel
from engine.safety import load_safety_checker
from engine.safety.described import DescribedRater, load_description

SIDE = 8
TAGGER = f"""
side = {SIDE}
channels = "bgr"
scale = 0.00392156862745098
labels = "tags.csv"
[scores]
safe = ["general"]
r18 = ["explicit"]
young = ["small"]
"""


def write_tagger(folder: Path, description: str = TAGGER) -> Path:
    """A model whose three outputs are the means of the channels it is given, first channel first."""
    source = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])
    target = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    mean = helper.make_node("ReduceMean", ["pixels", "axes"], ["out"], keepdims=0)
    graph = helper.make_graph([mean], "tagger", [source], [target], initializer=[axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(folder / "tagger.onnx"))
    (folder / "tagger.toml").write_text(description, encoding="utf-8")
    (folder / "tags.csv").write_text("id,name\n1,explicit\n2,general\n3,small\n", encoding="utf-8")
    return folder / "tagger.onnx"


def rater(folder: Path, description: str = TAGGER) -> DescribedRater:
    model = write_tagger(folder, description)
    return DescribedRater(model, partial(load_description, model.with_suffix(".toml")))


def test_the_picture_is_fed_and_read_as_described(tmp_path: Path) -> None:
    blue, red = (Image.new("RGB", (30, 30), colour) for colour in ("blue", "red"))
    found = rater(tmp_path).rate([blue, red])
    assert found[0] == pytest.approx({"safe": 0.0, "r18": 1.0, "young": 0.0, "young_explicit": 0.0}, abs=1e-4)
    assert found[1] == pytest.approx({"safe": 0.0, "r18": 0.0, "young": 1.0, "young_explicit": 0.0}, abs=1e-4)


def test_a_wide_picture_is_padded_with_white(tmp_path: Path) -> None:
    wide = Image.new("RGB", (80, 40), "black")
    assert rater(tmp_path, f'fit = "pad"\n{TAGGER}').rate([wide])[0]["r18"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("activation", "explicit"), [("sigmoid", 0.731), ("softmax", 0.576)])
def test_outputs_become_probabilities(tmp_path: Path, activation: str, explicit: float) -> None:
    found = rater(tmp_path, f'activation = "{activation}"\n{TAGGER}').rate([Image.new("RGB", (9, 9), "blue")])
    assert found[0]["r18"] == pytest.approx(explicit, abs=1e-3)


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ("side = ", "does not describe"),
        (TAGGER.replace("bgr", "cmyk"), "channels must be one of rgb, bgr"),
        (TAGGER.replace('"explicit"', '"unheard"'), "unheard"),
        (TAGGER.replace("r18", "r81"), "must name r18"),
        (TAGGER.replace("side = 8", "side = 0"), "side must be positive"),
        (TAGGER.replace("side = 8", 'side = "8"'), "does not describe"),
        (f"colour = 3\n{TAGGER}", "does not describe"),
    ],
)
def test_a_description_that_fits_nothing_says_what_is_wrong(tmp_path: Path, description: str, complaint: str) -> None:
    model = write_tagger(tmp_path, description)
    with pytest.raises(ValueError, match=complaint):
        load_description(model.with_suffix(".toml"))
    problem = DescribedRater(model, partial(load_description, model.with_suffix(".toml"))).problem()
    assert problem is not None
    assert complaint in problem


def test_it_is_part_of_every_verdict(tmp_path: Path) -> None:
    checker = load_safety_checker(anime_model=write_tagger(tmp_path))
    report = checker.check([Image.new("RGB", (64, 64), "blue")], SafetyLevel.STANDARD)[0]
    assert report.scores["anime.r18"] == pytest.approx(1.0)
    assert (report.verdict, report.clause) == ("unsafe", "adult")


def test_a_broken_description_withholds_every_picture(tmp_path: Path) -> None:
    checker = load_safety_checker(anime_model=write_tagger(tmp_path, "side = "))
    assert checker.check([Image.new("RGB", (64, 64))], SafetyLevel.ADULT)[0].verdict == "error"


def test_normalisation_is_by_channel(tmp_path: Path) -> None:
    text = TAGGER.replace('channels = "bgr"', 'channels = "rgb"\nmean = [1.0, 0.0, 0.0]\ndeviation = [-1.0, 1.0, 1.0]')
    described = load_description(write_tagger(tmp_path, text).with_suffix(".toml"))
    pixels = described.prepare([Image.new("RGB", (5, 5), "red")], ())
    assert pixels.shape == (1, SIDE, SIDE, 3)
    assert np.allclose(pixels[0, 0, 0], [0.0, 0.0, 0.0], atol=1e-4)
