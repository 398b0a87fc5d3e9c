"""The picture check with its real models, on drawn and public-domain pictures, and with tiny random models."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

import engine.safety.onnx_rater as onnx_rater
from domain import SafetyLevel
from engine.safety import PictureChecker, SafetyChecker, load_safety_checker
from engine.safety.__main__ import main
from engine.safety.anime import anime_description, anime_rater
from engine.safety.nsfwjs import MODEL_PATH, SHA256, nsfwjs_rater
from engine.safety.onnx_rater import OnnxRater
from engine.safety.open_nsfw import open_nsfw_rater
from engine.safety.sd_checker import DiffusersRater
from engine.safety.sd_checker import prepare as prepare_clip
from engine.safety.shock import padded, shock_rater
from engine.safety.shock import prepare as prepare_shock

pytestmark = pytest.mark.pipeline

FOLDER = Path(__file__).parents[1] / "support" / "pictures"
PHOTOGRAPHS = sorted(FOLDER.glob("*.jpg"))


def draw_character(side: int) -> Image.Image:
    """A face with hair and clothes in flat colours."""
    picture = Image.new("RGB", (side, side), "#bfe3ff")
    pen, unit = ImageDraw.Draw(picture), side / 128
    pen.rectangle([30 * unit, 96 * unit, 98 * unit, side], fill="#345a9c")
    pen.ellipse([28 * unit, 14 * unit, 100 * unit, 100 * unit], fill="#7a4a2b")
    pen.ellipse([38 * unit, 30 * unit, 90 * unit, 98 * unit], fill="#ffdbc0")
    for left in (48, 70):
        pen.ellipse([left * unit, 56 * unit, (left + 11) * unit, 72 * unit], fill="#2b6b4f")
    pen.arc([56 * unit, 74 * unit, 72 * unit, 86 * unit], 20, 160, fill="#a04040", width=max(1, round(unit)))
    return picture


def write_classifier(path: Path, side: int | str, classes: int, seed: int = 0) -> Path:
    """A real ONNX classifier with random weights: mean colour → dense layer → softmax."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(3, classes)).astype(np.float32), rng.normal(size=classes).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def checker() -> SafetyChecker:
    """The models of the repository, opened once."""
    return load_safety_checker()


@pytest.mark.parametrize("side", [64, 128, 512, 1024])
def test_a_drawn_character_is_released_at_every_size(side: int, checker: SafetyChecker) -> None:
    for level in SafetyLevel:
        report = checker.check([draw_character(side)], level, strict=True)[0]
        assert report.verdict == "safe"
        assert report.scores["nsfwjs.hentai"] < 0.1


def test_public_domain_photographs_are_released_in_direct_messages(checker: SafetyChecker) -> None:
    pictures = [Image.open(path) for path in PHOTOGRAPHS]
    reports = checker.check(pictures, SafetyLevel.STRICT)
    assert [report.verdict for report in reports] == ["safe"] * 3


def test_the_converted_network_gives_the_numbers_of_tensorflow_js() -> None:
    """The expected numbers were computed once with @tensorflow/tfjs 4 from the npm package's own files."""
    y, x = np.mgrid[0:224, 0:224]
    rings = ((x - 112) ** 2 + (y - 112) ** 2) // 99
    first = np.stack([x * 3 + y, y * 5, rings], -1) % 256
    second = np.full((224, 224, 3), (224, 172, 105))
    second[60:160, 60:160] = (255, 219, 172)
    found = nsfwjs_rater().rate([Image.fromarray(array.astype(np.uint8)) for array in (first, second)])
    assert list(found[0].values()) == pytest.approx([0.0546, 0.0065, 0.9384, 0.0001, 0.0005], abs=2e-4)
    assert list(found[1].values()) == pytest.approx([0.1502, 0.0453, 0.7997, 0.0013, 0.0035], abs=2e-4)
    assert list(found[0]) == ["drawing", "hentai", "neutral", "porn", "sexy"]


def test_the_weights_in_the_repository_are_the_pinned_ones_and_carry_their_notice() -> None:
    assert hashlib.sha256(MODEL_PATH.read_bytes()).hexdigest() == SHA256
    assert "Infinite Red" in (MODEL_PATH.parent / "NOTICE").read_text(encoding="utf-8")


def test_a_batch_gives_the_same_scores_as_single_pictures() -> None:
    pictures = [draw_character(96 + 8 * index) for index in range(6)]
    for rater in (nsfwjs_rater(), open_nsfw_rater()):
        single = [rater.rate([picture])[0] for picture in pictures]
        for together, alone in zip(rater.rate(pictures), single, strict=True):
            assert together == pytest.approx(alone, abs=1e-4)


def test_threads_that_meet_at_the_first_picture_get_equal_reports() -> None:
    checker, picture = load_safety_checker(), draw_character(128)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: checker.check([picture], SafetyLevel.STANDARD)[0], range(4)))
    assert reports == reports[:1] * 4
    assert reports[0].is_safe


class CountedSession:
    """A real session that notes the shape of what each run is fed."""

    def __init__(self, session: Any, fed: list[tuple[int, ...]]) -> None:
        self._session, self._fed = session, fed

    def run(self, names: list[str] | None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self._fed += [array.shape for array in inputs.values()]
        return self._session.run(names, inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def test_a_picture_costs_one_run_of_each_model_on_two_small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its size: the whole picture and its busiest part, both squeezed to what the models read."""
    fed: list[tuple[int, ...]] = []
    open_session = onnx_rater.open_session
    monkeypatch.setattr(onnx_rater, "open_session", lambda data: CountedSession(open_session(data), fed))
    checker = PictureChecker([nsfwjs_rater(), open_nsfw_rater()])
    for side in (64, 512, 1024):
        fed.clear()
        assert checker.check([draw_character(side)], SafetyLevel.STANDARD)[0].is_safe
        assert fed == [(2, 224, 224, 3)] * 2
    fed.clear()
    checker.check([draw_character(128)] * 3, SafetyLevel.STANDARD)
    assert fed == [(2, 224, 224, 3)] * 6, "three runs a model, two views each"


@pytest.mark.parametrize("option", ["nsfwjs_model", "open_nsfw_model", "shock_model", "anime_model", "sd_checker"])
def test_a_missing_model_withholds_everything_and_says_so(
    option: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checker = load_safety_checker(**{option: tmp_path / "nowhere.onnx"})
    assert "every picture will be withheld" in caplog.text
    assert "nowhere.onnx" in caplog.text
    assert checker.check([draw_character(64)], SafetyLevel.ADULT)[0].verdict == "error"


def test_another_file_in_a_models_place_is_not_used(tmp_path: Path) -> None:
    other = write_classifier(tmp_path / "other.onnx", 224, 2)
    for option in ("nsfwjs_model", "open_nsfw_model", "shock_model"):
        checker = load_safety_checker(**{option: other})
        assert checker.check([draw_character(64)], SafetyLevel.ADULT)[0].verdict == "error"


@pytest.mark.parametrize("side", [32, "side"])
def test_an_anime_rater_is_used_with_its_own_size_and_order_of_classes(side: int | str, tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", side, 3)
    (tmp_path / "meta.json").write_text(json.dumps({"labels": ["r18", "safe", "r15"]}), encoding="utf-8")
    scores = anime_rater(path).rate([draw_character(128)])[0]
    assert sum(scores[name] for name in ("safe", "r15", "r18")) == pytest.approx(1)
    report = load_safety_checker(anime_model=path).check([draw_character(128)], SafetyLevel.STANDARD)[0]
    assert report.scores["anime.r18"] == pytest.approx(scores["r18"], abs=1e-4)


def test_an_anime_rater_with_unknown_classes_is_refused(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", 32, 2)
    (tmp_path / "meta.json").write_text(json.dumps({"labels": ["cat", "dog"]}), encoding="utf-8")
    problem = anime_rater(path).problem()
    assert problem is not None
    assert "cat, dog" in problem


@pytest.mark.parametrize("meta", ["[]", "{}", "7", '{"labels": 3}', "no JSON", ""])
def test_a_damaged_list_of_classes_stops_no_start_and_withholds_every_picture(tmp_path: Path, meta: str) -> None:
    path = write_classifier(tmp_path / "model.onnx", 32, 3)
    (tmp_path / "meta.json").write_text(meta, encoding="utf-8")
    checker = load_safety_checker(anime_model=path)
    assert checker.check([draw_character(64)], SafetyLevel.ADULT)[0].verdict == "error"


def test_anime_input_spans_minus_one_to_one(tmp_path: Path) -> None:
    pixels = anime_description(tmp_path / "meta.json").prepare(
        [Image.new("RGB", (9, 5), "white"), Image.new("RGB", (5, 9))], ["n", 3, 16, 16]
    )
    assert pixels.shape == (2, 3, 16, 16)
    assert (pixels.max(), pixels.min()) == (1, -1)


def test_a_model_with_too_few_columns_withholds_the_picture(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", 224, 2)
    rater = OnnxRater("shock", path, prepare_shock, classes=("graphic", "sexual", "safe"))
    assert PictureChecker([rater]).check([draw_character(64)], SafetyLevel.ADULT)[0].verdict == "error"


def test_gore_is_judged_from_the_given_file(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", 224, 3)
    rater = OnnxRater("shock", path, prepare_shock, classes=("graphic", "sexual", "safe"))
    report = PictureChecker([rater]).check([Image.new("RGB", (40, 90), "red")], SafetyLevel.ADULT)[0]
    graphic = report.scores["shock.graphic"]
    assert report.is_safe == (graphic < 0.85)
    assert sum(report.scores.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("size", [(224, 224), (90, 30), (1, 400), (1024, 512)])
def test_the_gore_model_sees_the_whole_picture(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white")
    picture.paste("red", (0, 0, max(1, size[0] // 4), max(1, size[1] // 4)))
    square = padded(picture)
    assert square.size == (224, 224)
    reds = np.asarray(square).astype(int)
    assert (reds[..., 0] - reds[..., 1]).max() > 150


def test_without_its_package_there_is_no_gore_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.safety.shock.PACKAGE", "no_such_package")
    assert shock_rater() is None


@pytest.mark.parametrize(("threshold", "verdict"), [(-2.0, "unsafe"), (2.0, "safe")])
def test_diffusers_checker_is_used_from_a_folder(threshold: float, verdict: str, tmp_path: Path) -> None:
    write_sd_checker(tmp_path / "safety_checker", threshold)
    rater = DiffusersRater(tmp_path)
    pictures = [draw_character(128), Image.new("RGB", (70, 40), "green")]
    reports = PictureChecker([rater]).check(pictures, SafetyLevel.STANDARD)
    assert [report.verdict for report in reports] == [verdict] * 2


def write_sd_checker(folder: Path, threshold: float) -> None:
    """diffusers' own class with random weights and the same threshold for every concept."""
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**small, "image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    model = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, text_config=small, projection_dim=8))
    for name in ("concept_embeds", "special_care_embeds"):
        getattr(model, name).data.normal_()
        getattr(model, f"{name}_weights").data.fill_(threshold)
    model.save_pretrained(folder)


def test_diffusers_checker_reads_no_pickled_weights(tmp_path: Path) -> None:
    write_sd_checker(tmp_path, 2.0)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert (
        PictureChecker([DiffusersRater(tmp_path)]).check([draw_character(64)], SafetyLevel.ADULT)[0].verdict == "error"
    )


def test_clip_input_is_the_middle_of_the_picture() -> None:
    picture = Image.new("RGB", (300, 100), "black")
    picture.paste("white", (100, 0, 200, 100))
    pixels = prepare_clip(picture, 32)
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, 16, 16].min() > 1.5
    assert pixels.dtype == np.float32


def test_the_command_prints_one_json_line_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn, text = tmp_path / "drawn.png", tmp_path / "text.png"
    draw_character(128).save(drawn)
    text.write_text("no picture", encoding="utf-8")
    assert main([str(drawn), str(PHOTOGRAPHS[0]), "--level", "strict"]) == 0
    assert main([str(text), str(tmp_path / "missing.png")]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] for line in lines] == ["safe", "safe", "error", "error"]
    assert [line["file"] for line in lines[:3]] == [str(drawn), str(PHOTOGRAPHS[0]), str(text)]
    assert 0 <= lines[0]["scores"]["nsfwjs.hentai"] < 0.1
    assert lines[2]["scores"] == {}
