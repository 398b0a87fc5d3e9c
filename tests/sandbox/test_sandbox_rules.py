"""What the loopback Discord finds wrong in requests: by hand rules and by Discord's own description."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.people import channel_named, person
from sandbox.rest.rules import broken_rules, message_problems
from sandbox.rest.spec import OpenApi
from sandbox.rest.uploads import Body, Upload
from sandbox.server import LoopbackDiscord
from sandbox.world.things import V2
from tests.support.sandbox_bot import logged_in

MESSAGES = "/channels/{channel_id}/messages"
COMMANDS = "/applications/{application_id}/commands"
CALLBACK = "/interactions/{interaction_id}/{token}/callback"


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "x"} | fields


def field(**fields: Any) -> dict[str, Any]:
    return {"type": 4, "style": 1, "label": "x", "custom_id": "x"} | fields


def command(**fields: Any) -> dict[str, Any]:
    return {"name": "paint", "description": "x", "type": 1} | fields


def option(**fields: Any) -> dict[str, Any]:
    return {"name": "x", "description": "x", "type": 3} | fields


BAD_MESSAGES: list[tuple[dict[str, Any], str]] = [
    ({}, "empty message"),
    ({"content": "x" * 2001}, "2001 characters"),
    ({"embeds": [{}]}, "empty embed"),
    ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, "6001 characters"),
    ({"embeds": [{"fields": [{"name": "", "value": "x"}]}]}, "without name or value"),
    ({"embeds": [{"image": {"url": "attachment://a.png"}}]}, "has no file"),
    ({"embeds": [{"image": {"url": "ftp://a"}}]}, "bad address"),
    ({"embeds": [{"title": "x", "author": {"name": "x", "icon_url": "nowhere"}}]}, "bad address"),
    ({"embeds": [{"titel": "x"}]}, "unknown embed keys"),
    ({"content": "x", "attachments": [{"id": 0, "filename": "a.png"}]}, "without its file"),
]

BAD_COMPONENTS: list[tuple[dict[str, Any], str]] = [
    ({"content": "x", "components": [row(button(custom_id=None))]}, "without custom_id"),
    ({"content": "x", "components": [row(button(label=None))]}, "without label"),
    ({"content": "x", "components": [row(button(emoji={"name": "smile"}))]}, "bad emoji"),
    ({"content": "x", "components": [row(button(style=5, custom_id=None, url="x"))]}, "bad address"),
    ({"content": "x", "components": [row(button()), row(button())]}, "twice"),
    ({"content": "x", "components": [row(button(custom_id=str(n))) for n in range(6)]}, "6 rows"),
    ({"content": "x", "components": [row()]}, "empty row"),
    ({"content": "x", "components": [button()]}, "outside a row"),
    ({"content": "x", "components": [row({"type": 3, "custom_id": "s", "options": []})]}, "0 options"),
    ({"content": "x", "flags": V2, "components": []}, "'content' field cannot be used"),
    ({"flags": V2, "components": [{"type": 17, "components": [row(button(label=None))]}]}, "without label"),
]

BAD_COMMANDS: list[tuple[dict[str, Any], str]] = [
    (command(name="Paint"), "bad name"),
    (command(name="two words"), "bad name"),
    (command(description=""), "1 to 100 characters"),
    (command(options=[option(name="UP")]), "bad name"),
    (command(options=[option(name="a"), option(name="b", required=True)]), "after an optional one"),
    (command(options=[option(autocomplete=True, choices=[{"name": "x", "value": "x"}])]), "together with autocomplete"),
]


@pytest.mark.parametrize(("body", "words"), BAD_MESSAGES)
def test_bad_messages_are_found(body: dict[str, Any], words: str) -> None:
    assert words in " ".join(broken_rules("POST", MESSAGES, Body(body, {})))
    in_callback = {"type": 4, "data": body}
    assert words in " ".join(broken_rules("POST", CALLBACK, Body(in_callback, {})))


@pytest.mark.parametrize(("body", "words"), BAD_COMPONENTS)
def test_bad_components_are_found(body: dict[str, Any], words: str) -> None:
    is_v2 = bool(body.get("flags", 0) & V2)
    assert words in " ".join(map(str, message_problems(body, body["components"], is_v2=is_v2, files=set())))


@pytest.mark.parametrize(("body", "words"), BAD_COMMANDS)
def test_bad_commands_are_found(body: dict[str, Any], words: str) -> None:
    assert words in " ".join(broken_rules("PUT", COMMANDS, Body([body], {})))


def test_too_many_commands_and_fields_are_found() -> None:
    assert "101 commands" in " ".join(broken_rules("PUT", COMMANDS, Body([command()] * 101, {})))
    for rows in ([row(field(custom_id=str(n))) for n in range(6)], [], [row(field()), row(field())]):
        modal = {"type": 9, "data": {"title": "x", "custom_id": "x", "components": rows}}
        assert broken_rules("POST", CALLBACK, Body(modal, {}))


def test_a_file_name_that_changes_on_upload_is_found() -> None:
    body = Body({"content": "x"}, {0: Upload("my picture.png", b"", "image/png")})
    assert "changes on upload" in " ".join(broken_rules("POST", MESSAGES, body))


@given(st.text(min_size=1, max_size=2000), st.text(alphabet="abc", min_size=1, max_size=30))
def test_good_messages_break_no_rule(content: str, name: str) -> None:
    embed = {"title": content[:256], "image": {"url": f"attachment://{name}.png"}}
    body = {"content": content, "embeds": [embed], "components": [row(button(label=content[:80]))]}
    files = {0: Upload(f"{name}.png", b"", "image/png")}
    assert broken_rules("POST", MESSAGES, Body(body | {"attachments": [{"id": 0}]}, files)) == []
    assert list(message_problems(body, body["components"], is_v2=False, files={f"{name}.png"})) == []


# ---- Discord's own description ----


@pytest.mark.parametrize(
    "body",
    [
        {"content": 5},
        {"content": "x" * 5000},
        {"embeds": [{"title": "x" * 257}]},
        {"embeds": [{"color": 1 << 24}]},
        {"embeds": [{"title": "x"}] * 11},
        {"components": [row(*[button(custom_id=str(n)) for n in range(6)])]},
        {"components": [row({"type": 99})]},
        {"nonce": "x" * 26},
        {"contents": "x"},
    ],
)
def test_the_description_finds_bad_messages(spec: OpenApi, body: dict[str, Any]) -> None:
    assert list(spec.violations("POST", "/channels/1/messages", {}, body))
    assert list(spec.violations("GET", "/channels/1/messages", {"limits": "5"}, None)) == [
        "unknown query parameter limits"
    ]
    assert list(spec.violations("GET", "/channels/1/massages", {}, None)) == ["no such operation in the description"]


async def test_what_only_the_state_can_tell_is_found_too() -> None:
    async with LoopbackDiscord() as server, logged_in(server) as bot:
        paintings = channel_named(server.world, "paintings")
        place = bot.get_partial_messageable(paintings.id)
        message = await place.send(file=discord.File(io.BytesIO(b"x"), "x.png"))
        await message.edit(embed=discord.Embed().set_image(url="attachment://gone.png"))
    assert len(server.violations) == 1
    assert "attachment://gone.png, which is none of its files" in server.violations[0]


# ---- a bot that is a program of its own ----


async def test_a_killed_bot_starts_again_on_the_same_server(discord_server: LoopbackDiscord) -> None:
    ana, paintings = person(discord_server, "ana"), channel_named(discord_server.world, "paintings")
    first = await start_program(discord_server)
    message = ana.answer(await ana.slash(paintings, "counter"))
    first.kill()
    await first.wait()
    second = await start_program(discord_server)
    try:
        await ana.click(message, "Count 0")
        assert message.content == "counted 1"
        assert discord_server.gateway.identified == 2
    finally:
        second.kill()
        await second.wait()


async def start_program(server: LoopbackDiscord) -> asyncio.subprocess.Process:
    """The test bot as a process; returns when it is connected."""
    bot = Path(__file__).parents[1] / "support" / "sandbox_bot.py"
    identified = server.gateway.identified
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.attach", "--port", str(server.port), str(bot)),
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.DEVNULL,
    )
    ana = person(server, "ana")
    await ana.until(lambda: server.gateway.identified > identified)
    return program
