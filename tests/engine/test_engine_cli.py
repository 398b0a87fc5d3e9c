"""`python -m engine`: one request without Discord, with the same policy and the same picture check."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from domain import Place, Request, Task
from engine.__main__ import main
from engine.images.metadata import read_png
from engine.policy import approve
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.worker.backend import Backend
from engine.worker.local_backend import LocalBackend
from settings import Settings

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")]

COMMAND = ["1girl, pink hair", "--seed", "5", "--steps", "3", "--scheduler", "euler"]


def run(model: LoadedModel, *arguments: str, scores: dict[str, float] | None = None) -> int:
    def make(_settings: Settings) -> Backend:
        return LocalBackend(model, FixedScores(scores), reproducible=True, max_rows=4)

    return main([*COMMAND, *arguments], make)


def test_a_prompt_becomes_a_file_that_says_how_it_was_made(
    tiny_model: LoadedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.png"
    assert run(tiny_model, "-o", str(path)) == 0
    captured = capsys.readouterr()
    assert f"{path}  64×64  seed 5" in captured.out
    assert "3/3" in captured.err
    info = read_png(path.read_bytes())
    assert info is not None
    assert info.seed == 5


def test_the_command_line_gives_the_bots_pixels(tiny_model: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    assert run(tiny_model, "-o", str(path)) == 0
    profile = tiny_model.profile
    request = Request(
        prompt="1girl, pink hair", width=64, height=64, num_inference_steps=3, guidance_scale=profile.guidance_scale,
        scheduler="euler", seed=5,
    )  # fmt: skip
    backend = LocalBackend(tiny_model, FixedScores(), reproducible=True, max_rows=4)
    try:
        approved = approve(request, Place(guild_id=1, channel_id=2))
        result = backend.submit(Task(job_id=9, user_id=3, approved=approved), lambda _progress: None).result(120)
    finally:
        backend.close()
    png = result.pictures[0].png
    assert png is not None
    assert Image.open(path).tobytes() == Image.open(io.BytesIO(png)).tobytes()


def test_several_pictures_get_numbered_files(tiny_model: LoadedModel, tmp_path: Path) -> None:
    assert run(tiny_model, "--images", "2", "-o", str(tmp_path / "out.png")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-1.png", "out-2.png"]


def test_what_the_check_withholds_is_not_written(
    tiny_model: LoadedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_model, "-o", str(tmp_path / "out.png"), scores={"hentai": 0.99}) == 1
    assert "withheld" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scheduler", "magic"], "There is no scheduler 'magic'"),
        (["--width", "70"], "multiple of"),
        (["--start", "missing.png"], "missing.png"),
        (["--steps", "0"], "Steps go from 1"),
        (["--seed", "-1"], "A seed is a whole number from 0 to 4294967295; -1 is outside."),
        (["--seed", str(2**64)], f"{2**64} is outside"),
        (["--guidance", "1e999"], "The guidance scale goes from 1 to 30; inf is outside."),
        (["-o", "picture.txt"], "must end in .png"),
        (["-o", "nowhere/picture.png"], "nowhere is no folder"),
    ],
)
def test_a_wrong_request_is_explained_with_status_2(
    tiny_model: LoadedModel, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(tiny_model, *arguments) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert words in sentence


def test_a_word_where_a_number_belongs_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["tree", "--seed", "1e999"])
    assert stopped.value.code == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "--seed" in sentence
    assert "1e999" in sentence


def test_a_missing_model_is_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["tree", "--model", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err
