"""What could not be painted is repeated to its member alone, to be copied, and Edit opens the form filled."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from sandbox.world.things import Message
from tests.support import placeholder_policy
from tests.support.cards import labels_of, text_of
from tests.support.commands import forget_limits
from tests.support.forms import form_of
from tests.support.stage import Stage, restarted

WORDS = "1girl, *long* __hair__"


@pytest.fixture
async def ready(stage: Stage) -> Stage:
    await stage.agree(stage.ana, stage.ben)
    return stage


async def ask(stage: Stage, **options: Any) -> Message:
    """/imagine with something that can't be painted; the private answer."""
    asked = {"prompt": WORDS, "negative_prompt": "hat"} | options
    forget_limits(stage.server.world)
    answer = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", **asked))
    assert answer.only_for == stage.ana.id
    return answer


def assert_repeated(answer: Message, sentence: str, prompt: str = WORDS, negative: str = "hat") -> None:
    assert sentence in answer.content
    assert answer.embeds[0]["description"] == f"**Prompt**\n```\n{prompt}\n```\n**Without**\n```\n{negative}\n```"
    assert labels_of(answer) == ["Edit", "More settings"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"preset": "quick"}, "no preset"),
        ({"strength": 0.5}, "needs a start picture"),
        ({"scheduler": "nonsense"}, "scheduler"),
        ({"shape": "square", "width": 256}, "not both"),
        ({"start_picture": ("notes.txt", b"no picture")}, "must be a PNG"),
    ],
)
async def test_invalid_options_cost_no_words(ready: Stage, options: dict[str, Any], sentence: str) -> None:
    answer = await ask(ready, **options)
    assert_repeated(answer, sentence)
    form = form_of(await ready.ana.click(answer, "Edit"))
    assert form["negative_prompt"] == "hat"
    assert "hair" in form["prompt"]


async def test_too_expensive_a_picture_is_made_cheaper_in_the_form_after_a_restart(ready: Stage) -> None:
    member = {"member": ready.ana.id, "per_hour": 0.1, "per_day": 0.1}
    await ready.mira.slash(ready.paintings, "quota set", **member)
    answer = await ask(ready, seed=7)
    assert_repeated(answer, "This costs")
    await ready.mira.slash(ready.paintings, "quota remove", member=ready.ana.id)
    async with restarted(ready) as after:
        opened = await after.ana.click(answer, "More settings")
        assert "Seed: 7" in form_of(opened)["numbers"]
        await after.ana.submit(opened, numbers="Steps: 4")
        job = await after.service.jobs.fetch(1)
        assert (job.request.seed, job.request.num_inference_steps) == (7, 4)
        assert job.request.negative_prompt == "hat"


async def test_what_the_policy_has_let_through_is_not_judged_again(
    ready: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(*_: object) -> None:
        raise AssertionError("judged a second time")

    monkeypatch.setattr("service.drafts.judge", judge)
    await ready.mira.slash(ready.paintings, "quota set", member=ready.ana.id, per_hour=0.1, per_day=0.1)
    assert_repeated(await ask(ready), "This costs")
    await ready.change_settings(max_images=1)
    assert_repeated(await ask(ready, images=2), "at most 1 pictures")


@pytest.mark.parametrize("failure", [sqlite3.OperationalError("database or disk is full"), RuntimeError("no idea")])
async def test_where_the_words_can_not_be_kept_the_sentence_is_said_all_the_same(
    ready: Stage, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def keep(*_: object) -> int:
        raise failure

    monkeypatch.setattr("db.drafts.keep", keep)
    answer = await ask(ready, preset="quick")
    assert "no preset" in answer.content
    assert answer.components == []


async def test_a_servers_rule_costs_no_words(ready: Stage) -> None:
    await ready.change_settings(max_images=1)
    assert_repeated(await ask(ready, images=2), "at most 1 pictures")


async def test_a_form_that_can_not_be_read_opens_again_as_it_was_typed(ready: Stage) -> None:
    message = await ready.picture(ready.ana)
    words = {"prompt": "1girl, umbrella", "negative_prompt": "rain", "then": "more"}
    between = ready.ana.answer(await ready.ana.submit(await ready.ana.click(message, "Edit"), **words))
    typed = {"preset": "fast", "scheduler": "euler", "numbers": "Stepz: 20, Seed: 5"}
    answer = ready.ana.answer(await ready.ana.submit(await ready.ana.click(between, "More settings"), **typed))
    assert answer.only_for == ready.ana.id
    assert_repeated(answer, "There is no setting", "1girl, umbrella", "rain")
    first, again = await ready.ana.click(answer, "Edit"), await ready.ana.click(answer, "More settings")
    assert (form_of(first)["prompt"], form_of(first)["negative_prompt"]) == ("1girl, umbrella", "rain")
    assert form_of(again) == typed
    await ready.ana.submit(again, numbers="Seed: 5")
    job = await ready.service.jobs.fetch(2)
    assert (job.request.prompt, job.request.seed, job.parent_id) == ("1girl, umbrella", 5, 1)
    assert (job.request.preset, job.request.scheduler) == ("fast", "euler")


async def test_a_button_under_a_picture_costs_no_words_either(ready: Stage) -> None:
    message = await ready.picture(ready.ana, prompt="1girl, smile")
    await ready.service.blocks.block_member(ready.paintings.guild_id or 0, ready.ana.id, ready.mira.id, reason="spam")
    answer = ready.ana.answer(await ready.ana.click(message, "Again"))
    assert "blocked from painting" in answer.content
    assert "```\n1girl, smile\n```" in answer.embeds[0]["description"]


async def test_nobody_else_opens_what_was_typed(ready: Stage) -> None:
    mine = await ask(ready, preset="quick")
    forget_limits(ready.server.world)
    asked = await ready.ben.slash(ready.paintings, "imagine", prompt="1boy", preset="quick")
    forged = ready.ben.answer(asked)
    forged.components = mine.components
    opened = await ready.ben.click(forged, "Edit")
    assert opened.modal is None
    assert "Only the member whose request this was" in ready.ben.answer(opened).content


async def test_words_under_clause_b_are_not_repeated(ready: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.drafts.judge", placeholder_policy.policy().judge)
    answer = await ask(ready, prompt="ageterm privterm", preset="quick")
    assert "no preset" in answer.content
    assert "ageterm" not in text_of(answer)
    assert answer.components == []
