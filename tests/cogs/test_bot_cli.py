"""`python bot.py` from outside: exit codes, sentences, and how fast it answers."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from sandbox.server import LoopbackDiscord
from sandbox.testing import discord_server  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]


def bot(*arguments: str, cwd: Path, env_file: str = "") -> subprocess.CompletedProcess[str]:
    (cwd / "test.env").write_text(env_file)
    command = [sys.executable, str(ROOT / "bot.py"), "--env-file", str(cwd / "test.env"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


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


@pytest.mark.slow
def test_commands_are_the_array_that_discord_gets(tmp_path: Path) -> None:
    done = bot("--commands", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    commands = {command["name"]: command for command in json.loads(done.stdout)}
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
    assert rows["database"] == "ok"
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


async def on_loopback(port: int, cwd: Path, model: Path, *arguments: str, token: str) -> tuple[int, str]:
    """`python bot.py …` whose Discord is on a port of this machine: exit code and everything that it printed."""
    lines = [f"DISCORD_TOKEN={token}", f"MODEL={model}", f"DATABASE={cwd / 'bot.sqlite3'}", "LOG_LEVEL=DEBUG"]
    env_file = cwd / "loopback.env"
    env_file.write_text("\n".join(lines))
    attach = [sys.executable, "-m", "sandbox.attach", "--port", str(port), "bot.py"]
    process = await asyncio.create_subprocess_exec(
        *attach, "--env-file", str(env_file), *arguments, cwd=ROOT, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
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
    discord_server.token = discord_server.gateway.token = "the-right-token"
    code, output = await on_loopback(port, tmp_path, tiny_model_dir, "--check", token="the-right-token")
    assert code == 0
    assert "logged in as painter" in output
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
