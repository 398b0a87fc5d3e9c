"""Every lasting button and menu is made by one process and pressed in the next: none dies with a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cogs.setup import BUTTONS
from domain import JobStatus
from domain.queue import QueueState
from domain.settings import MemberSettings
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.worker.local_backend import LocalBackend
from sandbox.people.person import Person
from sandbox.world import changes
from sandbox.world.layout import STRING_SELECT, walk
from sandbox.world.things import Interaction, Message
from tests.support.cards import labels_of, text_of, titled
from tests.support.challenges import choose_picture
from tests.support.refusals import LIFTABLE
from tests.support.review import review_cards
from tests.support.stage import Stage, is_delivered, make_stage, running_bot

CARDS = ("once", "here", "uphold", "block", "keep", "remove", "approve", "reject")  # in the order of their cases


@dataclass
class Presses:
    """What was pressed, by custom_id."""

    ids: set[str] = field(default_factory=set[str])

    async def press(self, who: Person, message: Message, label: str) -> Interaction:
        self.ids |= {one["custom_id"] for one in walk(message.components) if one.get("label") == label}
        return await who.click(message, label)

    async def says(self, who: Person, message: Message, label: str, words: str) -> None:
        """Press, and read the answer that only this person sees."""
        answer = who.answer(await self.press(who, message, label))
        assert words in text_of(answer), (label, text_of(answer))

    async def opens(self, who: Person, message: Message, label: str) -> Interaction:
        """Press, and get a form."""
        opened = await self.press(who, message, label)
        assert opened.modal is not None, label
        return opened


@dataclass
class Left:
    """The messages that the first process left behind."""

    agree: Message
    set_up: Message
    agree_in_channel: Message
    pictures: list[Message]
    several: Message
    unpainted: Message
    waiting: Message
    refusals: list[Message]
    why: Message
    withheld: Message
    refused_list: Message
    cards: dict[str, Message]
    held: list[Message]
    announcement: Message
    chooser: Message
    entry: Message
    erase: Message
    panel: Message
    preferences: Message


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_lasting_button_works_in_the_next_process(tmp_path: Path, tiny_model: LoadedModel) -> None:
    scores: dict[str, float] = {}
    checker = FixedScores(lambda _: scores)
    async with make_stage(tmp_path, tiny_model, checker, message_content_intent=True) as stage:
        left = await leave_one_of_each(stage, scores)
        await stage.running.aclose()
        backend = LocalBackend(tiny_model, FixedScores())
        async with running_bot(stage.server, stage.settings, backend) as bot:
            presses = Presses()
            later = replace(stage, bot=bot, backend=backend)
            await press_pictures(later, presses, left)
            await press_terms(later, presses, left)
            await press_cases(later, presses, left)
            await press_challenge(later, presses, left)
            await press_the_rest(later, presses, left)
            forgotten = [one for one in BUTTONS if not any(template_of(one)(name) for name in presses.ids)]
            assert forgotten == []


def template_of(button: Any) -> Callable[[str], Any]:
    return button.__discord_ui_compiled_template__.fullmatch


# ---- before the restart ----------------------------------------------------------------------------------------------


async def leave_one_of_each(stage: Stage, scores: dict[str, float]) -> Left:
    zoe = await prepare(stage)
    ana, ben, mira, here = stage.ana, stage.ben, stage.mira, stage.paintings
    pictures = [await stage.picture(ana, steps=4) for _ in range(5)]
    several = await stage.picture(ana, steps=4, images=2)
    await stage.picture(ben, steps=4)
    refusals = [await refuse(stage, ana, number) for number in range(4)]
    why = await ana_is_refused_in_public(stage)
    scores["hentai"] = 0.99
    withheld = ana.answer(await ana.slash(here, "imagine", prompt="1girl", steps=4))
    await ana.until(lambda: "Picture withheld" in text_of(withheld))
    scores.clear()
    for refusal in refusals[1:]:
        await ana.submit(await ana.click(refusal, "Appeal"), statement="please")
    await ben.submit(await ben.click(await refuse(stage, ben, 9), "Appeal"), statement="please")
    for picture in pictures[1:3]:
        await ben.submit(await ben.click(picture, "Report"), reason="not nice")
    announcement, chooser, entry = await leave_a_challenge(stage)
    held = await hold_two(stage)
    await stage.bot.background.run_all()
    # Paused last: what waits here, and for its agreement, waits across the restart.
    await stage.service.queue.set_state(QueueState.PAUSED, mira.id)
    waiting = ana.answer(await ana.slash(here, "imagine", prompt="1girl, hat"))
    await zoe.say(stage.channel("prompts"), "1girl, umbrella")
    in_channel = await zoe.until(
        lambda: next((one for one in zoe.sees(stage.channel("prompts")) if "read the rules" in one.content), None)
    )
    return Left(
        agree=zoe.answer(await zoe.slash(here, "imagine", prompt="1girl, scarf")),
        set_up=mira.answer(await mira.slash(here, "setup")),
        agree_in_channel=in_channel,
        pictures=pictures,
        several=several,
        unpainted=ana.answer(await ana.slash(here, "imagine", prompt="1girl --sampler nothing")),
        waiting=waiting,
        refusals=refusals,
        why=why,
        withheld=withheld,
        refused_list=ana.answer(await ana.slash(here, "appeal")),
        cards=dict(zip(CARDS, review_cards(stage), strict=True)),
        held=held,
        announcement=announcement,
        chooser=chooser,
        entry=entry,
        erase=ben.answer(await ben.slash(here, "privacy delete")),
        panel=mira.answer(await mira.slash(here, "settings panel")),
        preferences=ana.answer(await ana.slash(here, "preferences")),
    )


async def prepare(stage: Stage) -> Person:
    """A review channel, a patient ladder, a prompt channel; zoe, who has not agreed yet."""
    await stage.agree(stage.ana, stage.ben, stage.mira)
    review = stage.channel("mod-review")
    await stage.change_settings(review_channel_id=review.id, strike_free_refusals=100)
    await stage.mira.slash(stage.paintings, "channel open", channel=stage.channel("prompts").id)
    world = stage.server.world
    return Person(stage.server, changes.join(world, world.guilds[review.guild_id or 0], "zoe").id)


async def refuse(stage: Stage, who: Person, number: int) -> Message:
    return who.answer(await who.slash(stage.paintings, "imagine", prompt=f"{LIFTABLE}, number {number}", steps=4))


async def ana_is_refused_in_public(stage: Stage) -> Message:
    channel = stage.channel("prompts")
    await stage.ana.say(channel, LIFTABLE)
    return await stage.ana.until(
        lambda: next((one for one in stage.ana.sees(channel) if "can't paint" in one.content), None)
    )


async def leave_a_challenge(stage: Stage) -> tuple[Message, Message, Message]:
    """The announcement, ana's menu of her pictures, and ben's entry."""
    await stage.mira.slash(stage.paintings, "challenge start", theme="snow", ends="3d")
    await stage.bot.background.run_all()
    (announcement,) = titled(stage, "Challenge: snow")
    chooser = stage.ben.answer(await stage.ben.click(announcement, "Enter"))
    await choose_picture(stage.ben, chooser, -1)
    await stage.bot.background.run_all()
    (entry,) = titled(stage, "Entry")
    return announcement, stage.ana.answer(await stage.ana.click(announcement, "Enter")), entry


async def hold_two(stage: Stage) -> list[Message]:
    """Two finished pictures that wait for a moderator."""
    await stage.mira.slash(stage.paintings, "review approval", channel=stage.paintings.id, on=True)
    held: list[Message] = []
    for _ in range(2):
        message = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=4))
        await stage.ana.until(lambda message=message: "Waiting for a moderator" in text_of(message))
        held.append(message)
    await stage.mira.slash(stage.paintings, "review approval", channel=stage.paintings.id, on=False)
    return held


# ---- after the restart -----------------------------------------------------------------------------------------------


async def press_pictures(stage: Stage, presses: Presses, left: Left) -> None:
    await presses.press(stage.ana, left.waiting, "Cancel")
    await stage.ana.until(lambda: "Cancelled" in text_of(left.waiting))
    await presses.says(stage.ana, left.pictures[0], "Again", "picture")
    await press_choices(stage, presses, left.pictures[0])
    await press_region(stage, presses, left.pictures[0])
    await press_one_of_several(stage, presses, left.several)
    await presses.opens(stage.ana, left.pictures[0], "Edit")
    opened = await presses.opens(stage.ana, left.unpainted, "Edit")
    await presses.opens(stage.ana, left.unpainted, "More settings")
    between = stage.ana.answer(await stage.ana.submit(opened, prompt="1girl", then="more"))
    await presses.says(stage.ana, between, "Paint it", "picture ")
    await presses.opens(stage.ben, left.pictures[0], "Report")
    await presses.press(stage.ana, left.pictures[4], "Delete")
    await stage.ana.until(lambda: left.pictures[4].id not in stage.server.world.messages)


async def press_choices(stage: Stage, presses: Presses, picture: Message) -> None:
    """What asks back privately, and each of its answers."""
    for label, choices in {"Vary": ("Subtle", "Strong", "Another"), "Upscale": ("1.5×", "2×")}.items():
        for choice in choices:
            asked = stage.ana.answer(await presses.press(stage.ana, picture, label))
            found = next(one for one in labels_of(asked) if one and one.startswith(choice))
            if choice == "Another":
                await presses.opens(stage.ana, asked, found)
            else:
                await presses.says(stage.ana, asked, found, "picture ")
    await presses.opens(stage.ana, picture, "Use as start")
    await presses.says(stage.ana, picture, "Details", "Paste this")
    await presses.says(stage.ana, picture, "Keep", "Kept.")
    sent = stage.ana.answer(await presses.press(stage.ana, picture, "Send me"))
    await stage.ana.until(lambda: "It is in your direct messages" in text_of(sent))


async def press_region(stage: Stage, presses: Presses, picture: Message) -> None:
    asked = stage.ana.answer(await presses.press(stage.ana, picture, "Edit region"))
    for region in ("left", "top"):
        presses.ids |= {one["custom_id"] for one in walk(asked.components) if one["type"] == STRING_SELECT}
        await stage.ana.select(asked, "Choose a region", region)
        await presses.opens(stage.ana, asked, "Change the words and paint")
        await presses.press(stage.ana, asked, "Other region")
    await presses.opens(stage.ana, asked, "My own mask file")


async def press_one_of_several(stage: Stage, presses: Presses, message: Message) -> None:
    await presses.press(stage.ana, message, "All")
    await stage.ana.until(lambda: "Keep all" in labels_of(message))
    await presses.says(stage.ana, message, "Keep all", "Kept. All 2")
    await presses.says(stage.ana, message, "Details of all", "numbers 1, 2")
    sent = stage.ana.answer(await presses.press(stage.ana, message, "Send me all"))
    await stage.ana.until(lambda: "They are in your direct messages" in text_of(sent))
    asked = stage.ana.answer(await presses.press(stage.ana, message, "Upscale all"))
    larger = next(one for one in labels_of(asked) if one and one.startswith("1.5×"))
    await presses.says(stage.ana, asked, larger, "picture ")
    await presses.press(stage.ana, message, "2")
    await stage.ana.until(lambda: "Delete 2" in labels_of(message))
    await presses.press(stage.ana, message, "Delete 2")
    await stage.ana.until(lambda: len(message.attachments) == 1)


async def press_terms(stage: Stage, presses: Presses, left: Left) -> None:
    zoe = Person(stage.server, next(user.id for user in stage.server.world.users.values() if user.name == "zoe"))
    licence = zoe.answer(await presses.press(zoe, left.agree, "Read the full licence"))
    assert b"RAIL-M" in licence.attachments[0].data
    await presses.says(zoe, left.agree_in_channel, "Read the rules", "Before your first picture")
    asked = zoe.answer(await presses.press(zoe, left.agree, "I agree"))
    assert asked.only_for is None
    await presses.says(stage.mira, left.set_up, "Agree for this server", "This server is set up")


async def press_cases(stage: Stage, presses: Presses, left: Left) -> None:
    mira, ana = stage.mira, stage.ana
    await presses.opens(ana, left.refusals[0], "Appeal")
    await presses.opens(ana, left.refusals[0], "Edit")
    presses.ids.add("refused:choose")
    await ana.select(left.refused_list, "refused:choose", menu_of(left.refused_list)[0])
    await presses.opens(ana, left.withheld, "Appeal")
    await presses.says(ana, left.why, "Why?", "gore")
    labels = {
        "once": "Allow once",
        "uphold": "Uphold",
        "keep": "Keep the picture",
        "remove": "Remove the picture",
        "approve": "Show it",
        "reject": "Don't show it",
    }
    for name, label in labels.items():
        await presses.press(mira, left.cards[name], label)
    await mira.submit(await presses.opens(mira, left.cards["here"], "Allow here from now on"))
    await mira.submit(await presses.opens(mira, left.cards["block"], "Block member"), reason="enough")
    await stage.bot.background.run_all()
    ends = {name: card.embeds[0]["title"].partition(": ")[2] for name, card in left.cards.items()}
    assert ends == {
        "once": "allowed once",
        "here": "allowed here from now on",
        "uphold": "upheld",
        "block": "member blocked",
        "keep": "kept",
        "remove": "picture removed",
        "approve": "approved",
        "reject": "not shown",
    }
    await ana.until(lambda: is_delivered(left.held[0]))
    await ana.until(lambda: "Picture withheld" in text_of(left.held[1]))
    assert left.pictures[2].id not in stage.server.world.messages


async def press_challenge(stage: Stage, presses: Presses, left: Left) -> None:
    await presses.says(stage.mira, left.entry, "Vote", "Your vote is for entry 1")
    presses.ids.add(await choose_picture(stage.ana, left.chooser, -1))
    await presses.says(stage.ana, left.announcement, "Take my entry back", "Your entry is taken back")
    await presses.says(stage.ana, left.announcement, "Enter", "Which picture do you enter?")


async def press_the_rest(stage: Stage, presses: Presses, left: Left) -> None:
    for label in ("Painting", "Start pictures", "Audit, review, language", "Policy of a channel"):
        await presses.opens(stage.mira, left.panel, label)
    await presses.press(stage.ana, left.preferences, "Never mention me")
    await presses.press(stage.ana, left.preferences, "Paint my messages")
    assert await stage.service.members.fetch_settings(stage.ana.id) == MemberSettings(
        notices=False, paint_messages=True
    )
    await presses.press(stage.ben, left.erase, "Erase everything")
    await stage.ben.until(lambda: left.erase.content.startswith("Erased"))
    rows = await stage.database.fetch_all("SELECT status FROM jobs WHERE user_id = ?", (stage.ben.id,))
    assert rows == []
    assert JobStatus.CANCELLED in {(await stage.service.jobs.fetch(job_id)).status for job_id in await job_ids(stage)}


def menu_of(message: Message) -> list[str]:
    """What a message's menu offers."""
    return [option["value"] for one in walk(message.components) for option in one.get("options", [])]


async def job_ids(stage: Stage) -> list[int]:
    return [row["id"] for row in await stage.database.fetch_all("SELECT id FROM jobs")]
