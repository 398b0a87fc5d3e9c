"""`make demo` from outside: one /imagine on the loopback Discord, what is printed, and the picture that it writes."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.images.metadata import read_png

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 500  # for a demo that hangs

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(600)]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.demo", "--once", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)


@pytest.mark.slow
def test_one_command_shows_each_state_and_writes_a_picture_that_says_how_it_was_made(tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "out.png"
    done = demo("--prompt", "1girl, pink hair, smile", "--seed", "3", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    places = [
        done.stdout.index(words) for words in ("Before your first picture", "Next in line", "Painting: ", "Seed 3")
    ]
    assert places == sorted(places)
    assert str(out) in done.stdout
    info = read_png(out.read_bytes())
    assert info is not None
    assert (info.request["prompt"], info.seed, info.model.is_demo) == ("1girl, pink hair, smile", 3, True)
    assert info.digital_source_type.endswith("trainedAlgorithmicMedia")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--prompt", "  "], "PROMPT is empty"), (["--out", "picture.txt"], "ends in .png"), (["--out", "."], "a file")],
)
def test_what_cannot_be_done_is_said_before_anything_is_loaded(arguments: list[str], words: str) -> None:
    done = demo(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert words in sentence


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_with_one_to_try() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "sandbox.demo", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence == f"The page can't be served on port {port} (Address already in use). Try PORT={port + 1}."
