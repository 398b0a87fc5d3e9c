"""`python bot.py` from outside: exit codes and sentences."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

import pytest

import engine.safety
from bot import _check_model, create_bot
from db.database import DatabaseError
from db.lock import DatabaseLock
from domain import ModelUnavailable
from domain.findings import Health
from engine.safety import FixedScores, SafetyChecker
from sandbox.rest.limits import Fault
from sandbox.server import LoopbackDiscord
from sandbox.testing import discord_server  # noqa: F401 - a fixture
from settings import Settings
from tests.support.idle_backend import IdleBackend

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 500  # for a process that hangs


def bot(*arguments: str, cwd: Path, env_file: str = "", console: str = "utf-8") -> subprocess.CompletedProcess[str]:
    (cwd / "test.env").write_text(env_file, encoding="utf-8")
    command = [sys.executable, str(ROOT / "bot.py"), "--env-file", str(cwd / "test.env"), *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": console}
    return subprocess.run(
        command, cwd=cwd, capture_output=True, encoding=console, check=False, timeout=PATIENCE_SECONDS, env=environment
    )


def test_without_a_token_it_says_in_one_sentence_what_to_do(tmp_path: Path) -> None:
    done = bot(cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "DISCORD_TOKEN" in done.stderr
    assert "make demo" in done.stderr
    assert list(tmp_path.glob("**/*.sqlite3")) == []


def test_help_needs_neither_torch_nor_discord() -> None:
    probe = (
        "import sys, bot\n"
        "try: bot.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'discord', 'diffusers')))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--check" in done.stdout


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    done = bot(cwd=tmp_path, env_file="MAX_ROWS=many\nDISCORD_TOKEN=secret-token\n")
    assert done.returncode == 2
    assert "MAX_ROWS must be a whole number from 0 to 64, not 'many'" in done.stderr
    assert "secret-token" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def printed_commands(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `--commands` prints on a console that shows everything."""
    done = bot("--commands", cwd=tmp_path_factory.mktemp("commands"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_commands_are_the_array_that_discord_gets(printed_commands: Any) -> None:
    commands = {command["name"]: command for command in printed_commands}
    assert {"imagine", "queue", "help", "license", "terms", "about", "setup"} <= commands.keys()
    options = {option["name"]: option for option in commands["imagine"]["options"]}
    assert options["prompt"]["required"]
    assert (options["images"]["min_value"], options["images"]["max_value"]) == (1, 4)
    assert not any(command.get("nsfw") for command in commands.values())


@pytest.mark.slow
def test_check_says_what_is_missing_and_fails(tmp_path: Path, tiny_model_dir: Path) -> None:
    settings = f"MODEL={tiny_model_dir}\nDATABASE={tmp_path / 'bot.sqlite3'}\n"
    done = bot("--check", cwd=tmp_path, env_file=settings)
    assert done.returncode == 1
    rows = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert rows["token"] == "FAIL"
    assert rows["database"] == rows["integrity"] == rows["disk"] == "ok"
    assert rows["device"] == rows["companions"] == rows["speed"] == "ok"
    assert re.search(r"speed +about [\d.e-]+ s for a picture of 64×64 in 20 steps", done.stdout)
    assert re.search(r"device +.+, because DEVICE=auto", done.stdout)
    assert rows["policy"] == "ok"
    assert rows["model"] == "ok"
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("MODEL=/nowhere/model.ckpt", "/nowhere/model.ckpt"),
        ("DATABASE=/proc/bot.sqlite3", "can't be opened"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, settings: str, sentence: str, tiny_model_dir: Path
) -> None:
    model = "" if "MODEL" in settings else f"MODEL={tiny_model_dir}\n"
    done = bot(cwd=tmp_path, env_file=f"DISCORD_TOKEN=x\n{model}{settings}\n")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_second_bot_hears_that_the_database_is_in_use_before_it_loads_a_model(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite3"
    with DatabaseLock(path):
        done = bot(cwd=tmp_path, env_file=f"DISCORD_TOKEN=x\nMODEL=/nowhere/model.ckpt\nDATABASE={path}\n")
    assert done.returncode == 2
    assert "in use by another process" in done.stderr
    assert "/nowhere" not in done.stderr


class Closable(IdleBackend):
    closed = 0

    def close(self, *, drain_seconds: float = 0) -> None:
        self.closed += 1


async def test_a_bot_that_can_not_be_opened_closes_its_backend(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, database=tmp_path / "bot.sqlite3")  # pyright: ignore[reportCallIssue]
    backend = Closable()
    with DatabaseLock(settings.database), pytest.raises(DatabaseError, match="in use"):
        async with create_bot(settings, backend):
            pass
    assert backend.closed == 1


async def test_a_model_that_can_not_be_loaded_leaves_the_database_free(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, database=tmp_path / "bot.sqlite3", model="/nowhere/model.ckpt")  # pyright: ignore[reportCallIssue]
    with pytest.raises(ModelUnavailable):
        async with create_bot(settings):
            pass
    with DatabaseLock(settings.database):
        pass


def test_check_loads_the_picture_check_once(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[SafetyChecker] = []

    def load(**_: Any) -> SafetyChecker:
        loaded.append(FixedScores())
        return loaded[-1]

    monkeypatch.setattr(engine.safety, "load_safety_checker", load)
    settings = Settings(_env_file=None, database=tmp_path / "bot.sqlite3", model=str(tiny_model_dir))  # pyright: ignore[reportCallIssue]
    findings = _check_model(settings)
    assert {finding.health for finding in findings} == {Health.OK}
    assert len(loaded) == 1


async def on_loopback(port: int, cwd: Path, model: Path, *arguments: str, token: str) -> tuple[int, str]:
    """`python bot.py …` whose Discord is on a port of this machine: exit code and everything that it printed."""
    lines = [f"DISCORD_TOKEN={token}", f"MODEL={model}", f"DATABASE={cwd / 'bot.sqlite3'}", "LOG_LEVEL=DEBUG"]
    env_file = cwd / "loopback.env"
    env_file.write_text("\n".join(lines))
    attach = [sys.executable, "-m", "sandbox.attach", "--port", str(port), "bot.py"]
    process = await asyncio.create_subprocess_exec(
        *attach, "--env-file", str(env_file), *arguments, cwd=ROOT, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode is not None
    return process.returncode, output.decode()


def last_words(output: str) -> str:
    """The last line that is no log line: the database's thread may log that it ends after everything was said."""
    return [line for line in output.splitlines() if not re.match(r"(\x1b\[[\d;]*m)*\d{4}-\d\d-\d\d ", line)][-1]


@pytest.mark.slow
async def test_what_discord_says_about_the_token_is_told_and_the_token_is_not(
    tmp_path: Path,
    tiny_model_dir: Path,
    discord_server: LoopbackDiscord,  # noqa: F811
) -> None:
    port = discord_server.port
    discord_server.token = "the-right-token"
    code, output = await on_loopback(port, tmp_path, tiny_model_dir, "--check", token="the-right-token")
    assert code == 0
    assert "logged in as painter" in output
    assert re.search(r"servers +1, 1 of them with all permissions", output)
    assert "message content: not asked for" in output
    assert "FAIL" not in output
    code, refused = await on_loopback(port, tmp_path, tiny_model_dir, "--check", token="a-wrong-token")
    assert code == 1
    assert "does not accept DISCORD_TOKEN" in refused
    code, started = await on_loopback(port, tmp_path, tiny_model_dir, token="a-wrong-token")
    assert code == 2
    assert last_words(started).startswith("Discord does not accept DISCORD_TOKEN.")
    assert not {"the-right-token", "a-wrong-token"} & set(re.findall(r"[\w-]+", output + refused + started))
    assert "Traceback" not in output + refused + started


@pytest.mark.slow
async def test_an_unreachable_discord_is_one_sentence(tmp_path: Path, tiny_model_dir: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        code, output = await on_loopback(unused.getsockname()[1], tmp_path, tiny_model_dir, token="some-token")
    assert code == 2
    assert last_words(output).startswith("Discord can't be reached")
    assert "Traceback" not in output


@pytest.mark.slow
async def test_a_discord_that_lets_nobody_in_is_one_sentence(
    tmp_path: Path,
    tiny_model_dir: Path,
    discord_server: LoopbackDiscord,  # noqa: F811
) -> None:
    discord_server.faults.append(Fault("GET", "/users/@me", status=403, times=99))
    code, output = await on_loopback(discord_server.port, tmp_path, tiny_model_dir, token="some-token")
    assert code == 2
    assert last_words(output).startswith("Discord does not let the bot in now (403")
    assert "Traceback" not in output


def test_a_settings_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "bot.py"), "--env-file", "absent.env"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 2
    assert done.stderr == "There is no settings file absent.env. Copy .env.example there, or name another one.\n"


@pytest.mark.parametrize("console", ["ascii", "cp1252", "cp437", "cp932"])
def test_a_sentence_gets_through_any_console(tmp_path: Path, console: str) -> None:
    done = bot(cwd=tmp_path, env_file="MODEL=x\nMAX_ROWS=\u30e2\U0001f600é\n", console=console)
    assert done.returncode == 2
    assert "MAX_ROWS must be a whole number" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("console", ["ascii", "cp1252"])
def test_the_commands_are_json_on_any_console(tmp_path: Path, console: str, printed_commands: Any) -> None:
    done = bot("--commands", cwd=tmp_path, console=console)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == printed_commands


WINDOWS = """
import asyncio, os, signal, bot

class Loop(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *_):
        raise NotImplementedError

async def main():
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    bot._cancel_at_sigterm(task)
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        await task
    except asyncio.CancelledError:
        print("stopped in order")

with asyncio.Runner(loop_factory=LOOP) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("loop", ["Loop", "asyncio.SelectorEventLoop"], ids=["Windows", "others"])
def test_sigterm_stops_in_order_on_loops_with_and_without_signal_handlers(loop: str) -> None:
    code = WINDOWS.replace("loop_factory=LOOP", f"loop_factory={loop}")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.stdout == "stopped in order\n", done.stderr
