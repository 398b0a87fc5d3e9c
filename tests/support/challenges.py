"""Challenges on the stage: announced by the moderator, entered by members."""

from __future__ import annotations

from sandbox.people.person import Person
from sandbox.world.things import Message
from tests.support.cards import titled
from tests.support.stage import Stage


async def start_challenge(stage: Stage, **options: object) -> Message:
    """Start a challenge about snow, then sea, of three days; its announcement."""
    await stage.mira.slash(stage.paintings, "challenge start", theme="snow | sea", ends="3d", **options)
    await stage.bot.background.run_all()
    return titled(stage, "Challenge: snow")[-1]


async def enter_challenge(stage: Stage, person: Person, announcement: Message) -> Message:
    """Enter the person's newest picture; the entry's message."""
    chooser = person.answer(await person.click(announcement, "Enter"))
    await choose_picture(person, chooser, 0)
    await stage.bot.background.run_all()
    return titled(stage, "Entry")[-1]


async def choose_picture(person: Person, chooser: Message, number: int) -> str:
    """Choose one of the pictures that a menu offers, newest first; the menu's custom_id."""
    (menu,) = [one for row in chooser.components for one in row["components"]]
    chosen = await person.select(chooser, menu["custom_id"], menu["options"][number]["value"])
    assert "Your picture is entry" in person.answer(chosen).content
    return str(menu["custom_id"])
