"""Refusals, the moderators' cards in #mod-review, and what is decided on them."""

from __future__ import annotations

from sandbox.world.things import Interaction, Message
from tests.support.refusals import LIFTABLE
from tests.support.stage import Stage


def review_cards(stage: Stage) -> list[Message]:
    """The cards in #mod-review, in the order in which their cases were opened."""
    found = [one for one in stage.mira.sees(stage.channel("mod-review")) if one.embeds]
    return sorted(found, key=lambda card: int(card.embeds[0]["footer"]["text"].split()[1]))


async def refused(stage: Stage, prompt: str = LIFTABLE) -> Message:
    """Ana's refusal, which only she sees and which does not repeat her words."""
    answer = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt=prompt))
    assert answer.only_for == stage.ana.id
    assert prompt not in answer.content
    return answer


async def appeal(stage: Stage, refusal: Message, words: str = "It is a café's name.") -> Message:
    """Appeal and return the moderators' card."""
    opened = await stage.ana.click(refusal, "Appeal")
    answer = stage.ana.answer(await stage.ana.submit(opened, statement=words))
    assert "with the moderators" in answer.content
    await stage.bot.background.run_all()
    return review_cards(stage)[-1]


async def decide(stage: Stage, card: Message, label: str) -> Interaction:
    """A moderator presses a button of the card."""
    pressed = await stage.mira.click(card, label)
    await stage.bot.background.run_all()
    return pressed
