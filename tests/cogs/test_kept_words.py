"""A refusal keeps the words: its member reads, edits and appeals it in private, also after a restart."""

from __future__ import annotations

import pytest

from cogs.core.text import marked
from sandbox.world.layout import walk
from sandbox.world.things import Message
from tests.support import placeholder_policy
from tests.support.cards import everything_in, fields_of, labels_of, text_of
from tests.support.forms import form_of
from tests.support.prompt_channels import answer_to, prompts
from tests.support.refusals import FORBIDDEN, LICENSED, LIFTABLE
from tests.support.review import refused
from tests.support.stage import Stage, restarted


def offered(message: Message) -> list[dict[str, str]]:
    """The options of a message's menu."""
    return [option for one in walk(message.components) for option in one.get("options", [])]


async def see_nobody_else_sees(stage: Stage, words: str) -> None:
    """No message that the others see repeats these words."""
    for channel in stage.server.world.channels.values():
        for message in stage.mira.sees(channel):
            assert message.author_id == stage.ana.id or words not in everything_in(message)


@pytest.mark.parametrize(
    ("text", "spans", "shown"),
    [
        ("a tall tower, sky", [(2, 6)], "a **__tall__** tower, sky"),
        ("a tall tower", [(2, 12), (2, 6)], "a **__tall tower__**"),
        ("*a* tall\n\ntower", [(4, 8)], "\\*a\\* **__tall__** tower"),
        ("a tall tower", [(90, 95), (-3, 1)], "**__a__** tall tower"),
        ("@here <@1> tall", [(11, 15)], "@\u200bhere \\<@1> **__tall__**"),
    ],
)
def test_the_place_is_marked_and_nothing_else_formats(text: str, spans: list[tuple[int, int]], shown: str) -> None:
    assert marked(text, spans, 200) == shown


def test_marked_words_fit_where_they_are_shown() -> None:
    long = "*tall* " * 200
    shown = marked(long, [(at, at + 6) for at in range(0, len(long), 7)], 400)
    assert len(shown) <= 400
    assert shown.endswith("…")


async def test_a_refusal_shows_its_member_their_words_with_the_place_marked(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt=LIFTABLE, negative_prompt="a *hat*")
    answer = stage.ana.answer(asked)
    assert answer.only_for == stage.ana.id
    assert answer.content.startswith("House rule: no extreme violence or gore here.")
    assert f"**__{FORBIDDEN}" in answer.embeds[0]["description"]
    assert answer.embeds[0]["description"].startswith("1girl, sunset, ")
    assert fields_of(answer)["Without"] == "a \\*hat\\*"
    assert labels_of(answer) == ["Edit", "Appeal"]
    await see_nobody_else_sees(stage, FORBIDDEN)


async def test_edit_opens_the_form_as_it_was_and_paints_what_was_changed(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt=LIFTABLE, negative_prompt="hat", seed=7, steps=4)
    refusal = stage.ana.answer(asked)
    async with restarted(stage) as after:
        opened = await after.ana.click(refusal, "Edit")
        form = form_of(opened)
        assert (form["prompt"], form["negative_prompt"]) == (LIFTABLE, "hat")
        assert opened.modal is not None
        summary = opened.modal["components"][-1]["component"]["options"][0]["description"]
        assert "Seed: 7" in summary
        assert "Steps: 4" in summary
        await after.ana.submit(opened, prompt="1girl, sunset")
        job = await after.service.jobs.fetch(1)
        assert (job.request.prompt, job.request.negative_prompt, job.request.seed) == ("1girl, sunset", "hat", 7)
        assert job.user_id == after.ana.id


async def test_an_edit_that_is_refused_again_keeps_its_own_words(stage: Stage) -> None:
    await stage.agree(stage.ana)
    opened = await stage.ana.click(await refused(stage), "Edit")
    again = stage.ana.answer(await stage.ana.submit(opened, prompt=f"{LIFTABLE}, umbrella"))
    assert "umbrella" in again.embeds[0]["description"]
    assert form_of(await stage.ana.click(again, "Edit"))["prompt"] == f"{LIFTABLE}, umbrella"


async def test_nobody_else_may_press_the_buttons_of_a_refusal(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    mine, theirs = await refused(stage), await stage.ben.slash(stage.paintings, "imagine", prompt=LICENSED)
    forged = stage.ben.answer(theirs)
    forged.components, components = mine.components, forged.components
    opened = await stage.ben.click(forged, "Edit")
    assert opened.modal is None
    assert "Only the author" in stage.ben.answer(opened).content
    forged.components = components


async def test_of_clause_b_a_member_reads_the_sentence_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.agree(stage.ana)
    await refuse_as_clause_b(stage, monkeypatch)
    answer = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="ageterm privterm"))
    assert answer.content.startswith("Licence, clause (b)")
    assert (answer.embeds, answer.components) == ([], [])
    listed = stage.ana.answer(await stage.ana.slash(stage.paintings, "appeal"))
    assert "ageterm" not in text_of(listed)
    assert "no words are kept" in text_of(listed)
    chosen = stage.ana.answer(await stage.ana.select(listed, "refused:choose", offered(listed)[0]["value"]))
    assert (chosen.content, chosen.embeds, chosen.components) == (answer.content, [], [])


async def refuse_as_clause_b(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge by the placeholder words of tests/support/placeholder_policy.py."""
    monkeypatch.setattr("engine.prepare.approve", placeholder_policy.policy().approve)


async def test_why_says_what_a_commands_refusal_says(open_stage: Stage) -> None:
    by_command = await refused(open_stage)
    hint = await answer_to(open_stage, await open_stage.ana.say(prompts(open_stage), LIFTABLE))
    assert FORBIDDEN not in text_of(hint)
    async with restarted(open_stage) as after:
        why = after.ana.answer(await after.ana.click(hint, "Why?"))
        assert why.only_for == after.ana.id
        assert (why.content, why.embeds) == (by_command.content, by_command.embeds)
        assert form_of(await after.ana.click(why, "Edit"))["prompt"] == LIFTABLE


async def test_the_list_leads_to_each_refusal_of_the_last_days(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    await refused(stage, LICENSED)
    first = await refused(stage)
    appealed = await stage.ana.click(first, "Appeal")
    await stage.ana.submit(appealed, statement="please")
    listed = stage.ana.answer(await stage.ana.slash(stage.paintings, "appeal"))
    assert listed.only_for == stage.ana.id
    newest, older = listed.embeds[0]["description"].splitlines()
    assert newest.startswith("<t:")
    assert ":R>: 1girl, sunset," in newest
    assert newest.endswith("(appealed, with the moderators)")
    assert LICENSED in older
    async with restarted(stage) as after:
        chosen = after.ana.answer(await after.ana.select(listed, "refused:choose", offered(listed)[1]["value"]))
        assert chosen.only_for == after.ana.id
        assert LICENSED.split()[1] in chosen.embeds[0]["description"]
        assert (await after.ana.click(chosen, "Appeal")).modal is not None
        others = after.ben.answer(await after.ben.slash(after.paintings, "appeal"))
        assert "Nothing of yours was refused" in others.content


async def test_strikes_have_the_buttons_of_their_refusals(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.change_settings(strike_free_refusals=0, strike_slow_at=0, strike_pause_at=0)
    await refused(stage, LIFTABLE)
    only = stage.ana.answer(await stage.ana.slash(stage.paintings, "strikes"))
    assert labels_of(only) == ["Edit", "Appeal"]
    await refused(stage, LICENSED)
    both = stage.ana.answer(await stage.ana.slash(stage.paintings, "strikes"))
    assert labels_of(both) == ["Edit 2", "Appeal 2", "Edit 1", "Appeal 1"]
    async with restarted(stage) as after:
        assert form_of(await after.ana.click(both, "Edit 1"))["prompt"] == LIFTABLE
        appealed = await after.ana.submit(await after.ana.click(both, "Appeal 2"), statement="please")
        assert "with the moderators" in after.ana.answer(appealed).content


async def test_strikes_show_at_most_as_many_rows_as_discord_takes_and_moderators_none(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await stage.change_settings(strike_free_refusals=0, strike_slow_at=0, strike_pause_at=0)
    for number in range(7):
        await refused(stage, f"{LIFTABLE}, number {number}")
    card = stage.ana.answer(await stage.ana.slash(stage.paintings, "strikes"))
    assert [one for one in labels_of(card) if one and one.startswith("Appeal")] == [
        f"Appeal {number}" for number in (7, 6, 5, 4, 3)
    ]
    looked_up = stage.mira.answer(await stage.mira.slash(stage.paintings, "strikes", member=stage.ana.id))
    assert labels_of(looked_up) == []
