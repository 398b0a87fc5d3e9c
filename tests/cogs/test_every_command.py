"""Every registered command, as those who may and as those who may not: nothing that Discord lists stays untried."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import discord
import pytest

from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from sandbox.people.person import Person, Refused
from sandbox.world import changes
from sandbox.world.things import Interaction, Message
from tests.support.cards import text_of
from tests.support.stage import Stage, make_stage

Who = Literal["all", "moderators", "managers", "owner"]
Options = dict[str, Any]

MODERATORS_ONLY = "This is for this server's moderators"
REFUSALS: dict[Who, str] = {
    "moderators": MODERATORS_ONLY,
    "managers": "This is for people who manage this server",
    "owner": "This is for the person who runs this bot",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One use of a command: by whom it may be used, with what, and what it then says (to them alone, if `private`)."""

    command: str
    who: Who
    says: str
    options: Callable[[Stage], Options] = field(default=lambda _: {})
    private: bool = True


def ana(stage: Stage) -> Options:
    return {"member": stage.ana.id}


def server(stage: Stage) -> str:
    return str(stage.paintings.guild_id)


def prompts(stage: Stage) -> Options:
    return {"channel": stage.channel("prompts").id}


# In this order: what is opened first can be changed, listed and closed after it.
CASES = (
    Case("help", "all", "/imagine"),
    Case("about", "all", "Model"),
    Case("license", "all", "RAIL-M"),
    Case("terms", "all", "rules"),
    Case("queue", "all", "queue"),
    Case("imagine", "all", "picture", lambda _: {"prompt": "1girl, smile", "steps": 4}, private=False),
    Case("quota me", "all", "left now"),
    Case("strikes", "all", "0 live strikes"),
    Case("appeal", "all", "Nothing of yours was refused here"),
    Case("strikes", "moderators", "0 live strikes", lambda s: {"member": s.ben.id}),
    Case("challenges", "all", "Hall of fame"),
    Case("preferences", "all", "Your preferences"),
    Case("privacy show", "all", "What I have stored of you"),
    Case("privacy export", "all", "stored.json"),
    Case("privacy delete", "all", "can't be undone"),
    Case("setup", "managers", "To set me up"),
    Case("quota set", "moderators", "It holds from the next request on", lambda s: ana(s) | {"per_hour": 40.0}),
    Case("quota grant", "moderators", "Granted 5 credits", lambda s: ana(s) | {"amount": 5.0, "reason": "a prize"}),
    Case("quota show", "moderators", "a prize", ana),
    Case("quota explain", "moderators", "**Per hour**: 40 credits", ana),
    Case("quota list", "moderators", "1 quota rule"),
    Case("quota reset", "moderators", "no longer counts", ana),
    Case("quota remove", "moderators", "is gone", ana),
    Case("block", "moderators", "can't paint here", lambda s: ana(s) | {"reason": "spam", "expires": "2h"}),
    Case("blocks", "moderators", "spam"),
    Case("unblock", "moderators", "can paint here again", ana),
    Case("audit", "moderators", "block.add"),
    Case("strike ladder", "moderators", "refused prompts a day"),
    Case("strike ladder", "managers", "7 refused prompts a day", lambda _: {"free_refusals": 7}),
    Case("strike dry-run", "moderators", "Nothing was changed"),
    Case("strike lift", "moderators", "no live strikes", lambda s: ana(s) | {"reason": "a mistake"}),
    Case("settings panel", "moderators", "Settings of this server"),
    Case("settings role moderators", "managers", "moderate the bot here", lambda s: {"role": role(s, "artists")}),
    Case("review list", "moderators", "0 open cases"),
    Case("review allowed", "moderators", "Allowed phrases"),
    Case("review revoke", "moderators", "not on the list", lambda _: {"phrase": "no such phrase"}),
    Case("review approval", "managers", "shown only after", lambda s: prompts(s) | {"on": True}),
    Case("review approval", "managers", "shown at once again", lambda s: prompts(s) | {"on": False}),
    Case("channel open", "moderators", "is a prompt", prompts),
    Case("channel edit", "moderators", "one every 30 seconds", lambda s: prompts(s) | {"cooldown": 30}),
    Case("channel list", "moderators", "one every 30 seconds"),
    Case("channel close", "moderators", "an ordinary channel again", prompts),
    Case("challenge start", "moderators", "Challenge 1 starts", lambda _: {"theme": "snow", "ends": "3d"}),
    Case("challenge end", "moderators", "Challenge 1 is over", lambda _: {"challenge": 1}),
    Case("starboard set", "moderators", "Pictures with 3", prompts),
    Case("starboard show", "moderators", "from 3"),
    Case("starboard off", "moderators", "The starboard is off"),
    Case("owner pause", "owner", "Painting is paused"),
    Case("owner status", "owner", "Painting is paused"),
    Case("owner policy-feedback", "owner", "No moderator has decided", lambda _: {"days": 30}),
    Case("owner backup", "owner", "Backup written"),
    Case("owner drain", "owner", "nothing new is accepted"),
    Case("owner resume", "owner", "The queue is open"),
    Case("owner block-user", "owner", "blocked everywhere", lambda s: {"user": s.ben.id, "reason": "abuse"}),
    Case("owner unblock-user", "owner", "not blocked everywhere any more", lambda s: {"user": s.ben.id}),
    Case("owner block-server", "owner", "is blocked", lambda s: {"server_id": server(s), "reason": "abuse"}),
    Case("owner unblock-server", "owner", "not blocked any more", lambda s: {"server_id": server(s)}),
    Case("owner budget", "owner", "90 credits an hour", lambda s: {"server_id": server(s), "per_hour": 90.0}),
    Case("owner budget", "owner", "no budget of its own", lambda s: {"server_id": server(s), "remove": True}),
    Case("owner audit", "owner", "queue.draining", lambda _: {"days": 1, "as_file": True}),
    Case("owner announce", "owner", "Said in 1 of 1 server", lambda _: {"text": "Back at eight."}),
)
MENUS = {"Remix": "all", "Report picture": "all", "Enter in challenge": "all", "Who made this?": "moderators"}


def role(stage: Stage, name: str) -> int:
    guild = stage.server.world.guilds[stage.paintings.guild_id or 0]
    return next(one.id for one in guild.roles.values() if one.name == name)


@pytest.fixture
async def crowd(tmp_path: Path, tiny_model: LoadedModel) -> AsyncGenerator[Stage]:
    """The stage with more people: a timekeeper (may time members out), a helper (of a role the managers named)."""
    async with make_stage(tmp_path, tiny_model, FixedScores()) as stage:
        world = stage.server.world
        guild = world.guilds[stage.paintings.guild_id or 0]
        changes.add_role(world, guild, "artists")
        helpers = changes.add_role(world, guild, "helpers")
        keepers = changes.add_role(world, guild, "keepers", discord.Permissions(moderate_members=True).value)
        changes.join(world, guild, "tim", keepers)
        changes.join(world, guild, "hana", helpers)
        await stage.agree(*people(stage))
        await person(stage, "rosa").slash(stage.paintings, "settings role moderators", role=helpers.id)
        yield stage


def people(stage: Stage) -> list[Person]:
    return [Person(stage.server, user.id) for user in stage.server.world.users.values() if not user.bot]


def person(stage: Stage, name: str) -> Person:
    return next(one for one in people(stage) if stage.server.world.users[one.id].name == name)


def leaves(commands: list[dict[str, Any]], before: str = "") -> Iterator[str]:
    """The names that people type, subcommands in full."""
    for command in commands:
        name = f"{before} {command['name']}".strip()
        below = [option for option in command.get("options", []) if option["type"] in (1, 2)]
        if below:
            yield from leaves(below, name)
        else:
            yield name


async def answered(stage: Stage, who: Person, asked: Interaction) -> Message:
    """What the interaction finally says: a "thinking" first answer is waited for."""
    seen = {message.id for message in who.sees(stage.paintings) if message.only_for != who.id}

    def said() -> Message | None:
        latest = [one for one in who.sees(stage.paintings) if one.only_for == who.id and one.id not in seen]
        first = stage.server.world.messages.get(asked.response_message_id or 0)
        shown = first if first is not None and text_of(first).strip() else (latest or [None])[-1]
        return shown if shown is not None and (text_of(shown).strip() or shown.attachments) else None

    return await who.until(said)


# ---- nothing is left out ---------------------------------------------------------------------------------------------


async def test_every_registered_command_is_in_the_table_and_hidden_as_it_should_be(crowd: Stage) -> None:
    registered = crowd.server.world.commands[None]
    slash = [command for command in registered if command.get("type", 1) == 1]
    assert {case.command for case in CASES} == set(leaves(slash))
    assert set(MENUS) == {command["name"] for command in registered if command.get("type", 1) == 3}
    for command in slash:
        whole = [case for case in CASES if case.command.split()[0] == command["name"]]
        if all(case.who != "all" for case in whole) and command["name"] != "quota":
            assert int(command["default_member_permissions"]), f"/{command['name']} is shown to everybody"


GUIDE = Path(__file__).parents[2] / "docs" / "moderating.md"
FOR_MEMBERS = {"imagine", "queue", "help", "about", "license", "terms"}


def options_of(commands: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Each command's name in full, and its options' names."""
    found: dict[str, set[str]] = {}
    for command in commands:
        options = command.get("options", [])
        below = [option for option in options if option["type"] in (1, 2)]
        if below:
            found |= {f"{command['name']} {name}": names for name, names in options_of(below).items()}
        else:
            found[command["name"]] = {option["name"] for option in options}
    return found


async def test_the_moderators_guide_names_every_command_and_none_that_does_not_exist(stage: Stage) -> None:
    registered = [one for one in stage.server.world.commands[None] if one.get("type", 1) == 1]
    known, named = options_of(registered), set[str]()
    for code in re.findall(r"`/([a-z][^`]*)`", GUIDE.read_text(encoding="utf-8")):
        command = max((name for name in known if f"{code} ".startswith(f"{name} ")), key=len, default=None)
        if command is None:
            assert any(name.startswith(f"{code} ") for name in known), f"there is no /{code}"
            continue
        named.add(command)
        options = set(re.findall(r"\b([a-z_]+):", code.removeprefix(command)))
        assert options <= known[command], f"/{code} has no such option"
    assert set(known) - named - FOR_MEMBERS == set()


def test_the_guides_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", GUIDE.read_text(encoding="utf-8"))
    assert len(pictures) >= 8
    for picture in pictures:
        assert (GUIDE.parent / picture).read_bytes().startswith(b"\x89PNG")


# ---- those who may ---------------------------------------------------------------------------------------------------

POWERS: dict[str, set[Who]] = {
    "mira": {"all", "moderators", "managers"},
    "rosa": {"all", "moderators", "managers", "owner"},
    "tim": {"all", "moderators"},
    "hana": {"all", "moderators"},
    "ana": {"all"},
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", POWERS)
async def test_each_command_does_its_work_or_says_who_may(crowd: Stage, name: str) -> None:
    """Everything once, in order, by one person; what they may not do, somebody else then does for what follows."""
    who, boss = person(crowd, name), person(crowd, "rosa")
    for case in CASES:
        options = case.options(crowd)
        if case.who not in POWERS[name]:
            await assert_refused(crowd, who, case, options)
            await boss.slash(crowd.paintings, case.command, **options)
            continue
        asked = await who.force(crowd.paintings, case.command, **options)
        answer = await answered(crowd, who, asked)
        assert case.says in text_of(answer), (case.command, text_of(answer))
        assert answer.only_for == (who.id if case.private else None), case.command


async def assert_refused(stage: Stage, who: Person, case: Case, options: Options) -> None:
    asked = await who.force(stage.paintings, case.command, **options)
    answer = stage.server.world.messages[asked.response_message_id or 0]
    sentence = REFUSALS[case.who]
    if case.who == "managers" and who.id == stage.ana.id and case.command.startswith("strike"):
        sentence = MODERATORS_ONLY  # looking at the ladder is asked first
    assert sentence in answer.content, (case.command, answer.content)
    assert answer.only_for == who.id, case.command


async def test_a_client_shows_a_plain_member_no_command_that_is_for_others_alone(crowd: Stage) -> None:
    shared = {"quota", "strikes"}  # members look at their own with these
    for case in CASES:
        if case.who != "all" and case.command.split()[0] not in shared:
            with pytest.raises(Refused):
                await crowd.ana.slash(crowd.paintings, case.command, **case.options(crowd))


# ---- the Apps menus --------------------------------------------------------------------------------------------------


async def test_the_apps_menus_answer_each_person_as_they_should(crowd: Stage) -> None:
    picture = await crowd.picture(crowd.ana, steps=4)
    assert (await crowd.ben.menu(crowd.paintings, "Remix", picture)).modal is not None
    assert (await crowd.ben.menu(crowd.paintings, "Report picture", picture)).modal is not None
    asked = await crowd.ana.menu(crowd.paintings, "Enter in challenge", picture)
    assert "No challenge is running" in crowd.ana.answer(asked).content
    with pytest.raises(Refused):
        await crowd.ben.menu(crowd.paintings, "Who made this?", picture)
    asked = await crowd.ben.force_menu(crowd.paintings, "Who made this?", picture)
    assert MODERATORS_ONLY in crowd.ben.answer(asked).content
    for name in ("mira", "tim", "rosa", "hana"):
        who = person(crowd, name)
        asked = await who.force_menu(crowd.paintings, "Who made this?", picture)
        assert f"<@{crowd.ana.id}>" in text_of(await answered(crowd, who, asked))


async def test_in_direct_messages_each_servers_command_says_where_it_works(crowd: Stage) -> None:
    home = crowd.mira.dm()
    for case in CASES:
        if case.who in ("all", "owner"):
            continue
        options = {name: value for name, value in case.options(crowd).items() if not is_of_a_server(name)}
        if options != case.options(crowd):
            continue  # members, roles and channels can't even be named there
        asked = await crowd.mira.force(home, case.command, **options)
        answer = crowd.server.world.messages[asked.response_message_id or 0]
        assert "in servers only" in answer.content or "manage" in answer.content, (case.command, answer.content)


def is_of_a_server(option: str) -> bool:
    return option in ("member", "role", "channel")
