"""Prompt channels end to end: messages become pictures, replies change them, edits and deletions are followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import pytest

from cogs.prompt_channels.prompt_text import changed, dressed, prompt_in
from db import prompt_channels
from domain import JobStatus, Progress, Result, Task
from domain.prompt_channels import PromptChannel
from engine.worker.local_backend import LocalBackend
from sandbox.people.person import Refused
from sandbox.rest.limits import CUT, Fault
from sandbox.world.things import Message
from tests.support.prompt_channels import (
    answer_to,
    answers_to,
    edit_channel,
    job_of,
    open_channel,
    picture_for,
    prompts,
    request_of,
)
from tests.support.refusals import FORBIDDEN
from tests.support.requests import REQUEST
from tests.support.stage import Stage, is_delivered, restarted

# ---- the words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("1girl, smile", "1girl, smile"),
        ("<@5> 1girl,\n smile", "1girl, smile"),
        ("// nice one!", None),
        ("https://example.org/a.png", None),
        ("  ", None),
        ("<@!5>", None),
        ("((masterpiece)), best quality, 1girl", "((masterpiece)), best quality, 1girl"),
        ("((1girl))", "((1girl))"),
        ("(((smile:1.2))), ((hat))", "(((smile:1.2))), ((hat))"),
        ("<@5> ((night))", "((night))"),
        ("[[blurry]], {tree}", "[[blurry]], {tree}"),
        ("((ooc: back in a minute))", None),
        ("(OOC thanks)", None),
    ],
)
def test_what_is_a_prompt(content: str, prompt: str | None) -> None:
    assert prompt_in(content, 5, needs_mention=False) == prompt


def test_without_the_intent_only_mentions_are_prompts() -> None:
    assert prompt_in("1girl", 5, needs_mention=True) is None
    assert prompt_in("<@5> 1girl", 5, needs_mention=True) == "1girl"


def test_a_reply_adds_and_takes_away_tags_or_replaces_the_words() -> None:
    channel = PromptChannel(channel_id=1, guild_id=2, opened_by=3, suffix="night")
    request = replace(REQUEST, prompt=dressed("1girl, hat", channel))
    assert request.prompt == "1girl, hat, night"
    assert changed(request, "- HAT, + red hair", channel).prompt == "1girl, night, red hair"
    assert changed(request, "1boy", channel).prompt == "1boy, night"
    assert changed(request, "1boy", channel).seed == request.seed


# ---- end to end --------------------------------------------------------------------------------------------------


async def test_a_message_becomes_a_picture_by_the_channels_rules(open_stage: Stage) -> None:
    await edit_channel(
        open_stage, prefix="masterpiece", suffix="night", negative_prompt="hat", preset="fast", seed=5, shape="portrait"
    )
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await picture_for(open_stage, said)
    request = request_of(picture)
    assert request["prompt"] == "masterpiece, 1girl, smile, night"
    assert (request["negative_prompt"], request["preset"], request["seed"]) == ("hat", "fast", 5)
    portrait = open_stage.service.queue.profile.shapes["portrait"]
    assert (request["width"], request["height"]) == portrait


async def test_other_channels_and_talk_are_left_alone(open_stage: Stage) -> None:
    await open_stage.ana.say(open_stage.paintings, "1girl, smile")
    await open_stage.ana.say(prompts(open_stage), "// how does this work?")
    said = await open_stage.ben.say(prompts(open_stage), "1boy, smile")
    await picture_for(open_stage, said)
    row = await open_stage.database.fetch_one("SELECT count(*) FROM jobs")
    assert row is not None
    assert row[0] == 1


async def test_a_refusal_repeats_nothing_in_public_and_explains_to_its_author_only(open_stage: Stage) -> None:
    said = await open_stage.ana.say(prompts(open_stage), f"1girl, {FORBIDDEN} cafe")
    hint = await answer_to(open_stage, said)
    assert hint.only_for is None
    assert FORBIDDEN not in hint.content
    assert "gore" not in hint.content
    why = open_stage.ana.answer(await open_stage.ana.click(hint, "Why?"))
    assert why.only_for == open_stage.ana.id
    assert "gore" in why.content
    assert (await open_stage.ana.click(why, "Appeal")).modal is not None
    other = open_stage.ben.answer(await open_stage.ben.click(hint, "Why?"))
    assert "Only the author" in other.content


async def test_a_strike_that_nobody_saw_in_public_is_told_to_its_author(open_stage: Stage) -> None:
    hints: list[Message] = []
    for number in range(3):
        said = await open_stage.ana.say(prompts(open_stage), f"1girl, {FORBIDDEN} cafe, number {number}")
        hints.append(await answer_to(open_stage, said))
    assert not any("strike" in hint.content for hint in hints)
    why = open_stage.ana.answer(await open_stage.ana.click(hints[-1], "Why?"))
    assert "This counts as strike 1" in why.content


async def test_a_channels_quota_and_level_are_set_with_it_and_hold_from_the_next_message(open_stage: Stage) -> None:
    await edit_channel(open_stage, per_hour=0.0, level="strict")
    listed = open_stage.mira.answer(await open_stage.mira.slash(open_stage.paintings, "channel list"))
    words = listed.embeds[0]["fields"][0]["value"]
    assert "for each member 0 credits an hour" in words
    assert "Policy level: strict" in words
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    assert "credits left" in (await answer_to(open_stage, said)).content
    await edit_channel(open_stage, per_hour=50.0)
    again = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    await picture_for(open_stage, again)
    assert (await job_of(open_stage, again)).place.is_strict
    log = open_stage.mira.answer(await open_stage.mira.slash(open_stage.paintings, "audit", action="quota.set"))
    assert "a prompt channel's quota" in log.embeds[0]["description"]
    await open_stage.mira.slash(open_stage.paintings, "channel close", channel=prompts(open_stage).id)
    refused = await open_channel(open_stage, level="adult")
    assert "is not age-restricted" in refused.content


async def test_a_new_prompt_channel_takes_the_servers_own_preset_and_shape(open_stage: Stage) -> None:
    await open_stage.mira.slash(open_stage.paintings, "channel close", channel=prompts(open_stage).id)
    await open_stage.change_settings(preset="fast", shape="portrait", allowed_shapes=("portrait",))
    assert "This server allows these sizes only: portrait" in (await open_channel(open_stage, shape="square")).content
    assert "portrait pictures; preset fast" in (await open_channel(open_stage)).content


async def test_a_first_message_asks_for_the_agreement_and_then_goes_on(open_stage: Stage) -> None:
    async with open_stage.database.transaction() as connection:
        await connection.execute("DELETE FROM agreements")
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    hint = await answer_to(open_stage, said)
    other = open_stage.ben.answer(await open_stage.ben.click(hint, "Read the rules"))
    assert "Only the author" in other.content
    terms = open_stage.ana.answer(await open_stage.ana.click(hint, "Read the rules"))
    agreed = await open_stage.ana.click(terms, "I agree")
    message = open_stage.ana.answer(agreed)
    await open_stage.ana.until(lambda: is_delivered(message))
    assert request_of(message)["prompt"] == "1girl, smile"


async def test_a_reply_to_a_picture_changes_it_with_the_same_seed(open_stage: Stage) -> None:
    first = await picture_for(open_stage, await open_stage.ana.say(prompts(open_stage), "1girl, smile, hat"))
    reply = await open_stage.ben.say(prompts(open_stage), "+ red hair, - hat", reply_to=first)
    request = request_of(await picture_for(open_stage, reply))
    assert request["prompt"] == "1girl, smile, red hair"
    assert request["seed"] == request_of(first)["seed"]
    assert (await job_of(open_stage, reply)).parent_id is not None


async def test_the_cooldown_lets_one_of_a_members_messages_through(open_stage: Stage) -> None:
    await edit_channel(open_stage, cooldown=600)
    first = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    await answer_to(open_stage, first)
    second = await open_stage.ana.say(prompts(open_stage), "1girl, hat")
    assert "Please wait" in (await answer_to(open_stage, second)).content
    third = await open_stage.ana.say(prompts(open_stage), "1girl, umbrella")
    other = await open_stage.ben.say(prompts(open_stage), "1boy, smile")
    await picture_for(open_stage, other)
    assert answers_to(open_stage, third) == []


async def test_messages_that_are_no_prompt_can_be_deleted(open_stage: Stage) -> None:
    await edit_channel(open_stage, other_messages="delete")
    said = await open_stage.ana.say(prompts(open_stage), "// hello")
    await open_stage.ana.until(lambda: said.id not in open_stage.server.world.messages)


async def test_a_thread_for_each_picture(open_stage: Stage) -> None:
    await edit_channel(open_stage, answer="thread")
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    thread = await open_stage.ana.until(lambda: open_stage.server.world.channels.get(said.id))
    await open_stage.ana.until(lambda: any(is_delivered(one) for one in open_stage.ana.sees(thread)))
    picture = next(one for one in open_stage.ana.sees(thread) if is_delivered(one))
    while (await job_of(open_stage, said)).delivered_at is None:
        pass
    await open_stage.ana.say(thread, "nice!")
    reply = await open_stage.ana.say(thread, "+ hat", reply_to=picture)
    assert request_of(await picture_for(open_stage, reply))["prompt"] == "1girl, smile, hat"


async def test_what_was_written_while_the_bot_was_away_is_painted(open_stage: Stage) -> None:
    first = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    await picture_for(open_stage, first)
    await open_stage.bot.close()
    said = await open_stage.ben.say(prompts(open_stage), "1boy, hat")
    async with restarted(open_stage) as after:
        picture = await picture_for(after, said)
        assert request_of(picture)["prompt"] == "1boy, hat"
        assert len(answers_to(after, first)) == 1


@pytest.mark.parametrize("was_painted", [True, False])
async def test_an_edit_while_the_bot_was_away_is_followed_once(open_stage: Stage, was_painted: bool) -> None:
    if not was_painted:
        open_stage.backend.pause()
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await (picture_for if was_painted else answer_to)(open_stage, said)
    await open_stage.bot.close()
    for words in ("1girl, hat", "1girl, umbrella"):
        await open_stage.ana.edit(said, words)
    async with restarted(open_stage) as after:
        await after.ana.until(lambda: is_delivered(picture) and "umbrella" in str(request_of(picture)["prompt"]))
        assert answers_to(after, said) == [picture]


@pytest.mark.parametrize("was_painted", [True, False])
async def test_a_deletion_while_the_bot_was_away_is_followed(open_stage: Stage, was_painted: bool) -> None:
    kept = await open_stage.ben.say(prompts(open_stage), "1boy, hat")
    await picture_for(open_stage, kept)
    if not was_painted:
        open_stage.backend.pause()
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await (picture_for if was_painted else answer_to)(open_stage, said)
    if was_painted:
        await open_stage.until_status((await job_of(open_stage, said)).id, JobStatus.DELIVERED)
    await open_stage.bot.close()
    await open_stage.ana.delete(said)
    async with restarted(open_stage) as after:
        await after.ana.until(lambda: picture.id not in after.server.world.messages)
        await after.picture(after.ben)  # what was waiting before it has ended
        assert answers_to(after, said) == []
        assert len(answers_to(after, kept)) == 1


async def test_the_first_message_of_a_channel_is_painted_although_the_bot_was_away(open_stage: Stage) -> None:
    """A chaos run found it: catching up began where the last message was read, and none had been."""
    await open_stage.bot.close()
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    async with restarted(open_stage) as after:
        await picture_for(after, said)


async def test_a_message_that_was_only_claimed_when_the_process_ended_is_painted(open_stage: Stage) -> None:
    await open_stage.bot.close()
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    channel = await prompt_channels.fetch(open_stage.database, prompts(open_stage).id)
    assert channel is not None
    async with open_stage.database.transaction() as connection:
        await prompt_channels.take_message(connection, channel, said.id, open_stage.ana.id, open_stage.service.now())
    async with restarted(open_stage) as after:
        await picture_for(after, said)


@pytest.mark.slow
@pytest.mark.timeout(1600)
async def test_a_burst_of_fifty_messages_is_answered_in_fair_order_without_hitting_a_limit(open_stage: Stage) -> None:
    """Ana writes thirty at once and first, Ben and Mira ten each after her; every tenth message is refused."""
    await edit_channel(open_stage, preset="fast")
    async with open_stage.database.transaction() as connection:
        await connection.execute(
            """INSERT INTO quota_rules (guild_id, subject, per_hour, per_day, max_jobs, reason, actor_id, set_at)
               VALUES (?, 'everyone', 900000, 900000, 100, 'burst', 1, 0)""",
            (open_stage.paintings.guild_id,),
        )
    open_stage.backend.pause()  # so that all fifty wait when the first is chosen
    begun = note_beginnings(open_stage.backend)
    said: list[Message] = []
    for person, messages in ((open_stage.ana, 30), (open_stage.ben, 10), (open_stage.mira, 10)):
        for number in range(100, 100 + messages):
            words = f"1girl, {FORBIDDEN} cafe, number {number}" if number % 10 == 9 else f"1girl, hat, number {number}"
            said.append(await person.say(prompts(open_stage), words))
    await open_stage.ana.until(lambda: open_stage.service.queue.report().queued == 45, seconds=600)
    open_stage.backend.resume()

    def is_answered() -> bool:
        seen = open_stage.ben.sees(prompts(open_stage))
        ended = [one for one in seen if one.reference and (is_delivered(one) or "can't paint" in one.content)]
        return {message.id for message in said} <= {int((one.reference or {})["message_id"]) for one in ended}

    await open_stage.ana.until(is_answered, seconds=900)
    assert open_stage.server.rate_limited == []
    assert all(len(answers_to(open_stage, message)) == 1 for message in said)
    bot_id = open_stage.server.world.bot.id
    public = "".join(one.content for one in open_stage.ben.sees(prompts(open_stage)) if one.author_id == bot_id)
    assert FORBIDDEN not in public
    assert Counter(begun) == {open_stage.ana.id: 27, open_stage.ben.id: 9, open_stage.mira.id: 9}
    assert_turns_were_taken(begun, (open_stage.ana.id, open_stage.ben.id, open_stage.mira.id))


def note_beginnings(backend: LocalBackend) -> list[int]:
    """Whose job the worker begins, in order. When a job ends depends on the machine: on decoding, threads, the disk."""
    begun: list[int] = []
    submit = backend.submit

    def submit_and_listen(task: Task, on_progress: Callable[[Progress], None]) -> Future[Result]:
        def hear(progress: Progress) -> None:
            if progress.step == 0:
                begun.append(task.user_id)
            on_progress(progress)

        return submit(task, hear)

    backend.submit = submit_and_listen
    return begun


def assert_turns_were_taken(begun: list[int], people: tuple[int, ...]) -> None:
    """While all of them still waited, nobody was ahead of anybody by more than one picture."""
    served = Counter(dict.fromkeys(people, 0))
    for user_id in begun[:27]:
        served[user_id] += 1
        assert max(served.values()) - min(served.values()) <= 1, served


async def test_the_same_prompt_channel_is_not_opened_twice_and_can_be_closed(open_stage: Stage) -> None:
    assert "open already" in (await open_channel(open_stage)).content
    listed = open_stage.mira.answer(await open_stage.mira.slash(open_stage.paintings, "channel list"))
    assert f"<#{prompts(open_stage).id}>" in listed.embeds[0]["fields"][0]["value"]
    await open_stage.mira.slash(open_stage.paintings, "channel close", channel=prompts(open_stage).id)
    closed = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    await open_stage.picture(open_stage.ana)
    assert answers_to(open_stage, closed) == []


async def test_opening_says_what_does_not_fit(stage: Stage) -> None:
    answer = await open_channel(stage, preset="no such")
    assert "no preset" in answer.content
    answer = await open_channel(stage)
    assert "that mentions me" in answer.content
    assert "Message Content" in answer.content


async def test_without_the_intent_a_mention_makes_a_prompt(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await open_channel(stage)
    await stage.ana.say(prompts(stage), "just talking")
    said = await stage.ana.say(prompts(stage), f"<@{stage.server.world.bot.id}> 1girl, smile")
    assert request_of(await picture_for(stage, said))["prompt"] == "1girl, smile"


async def test_members_can_not_open_channels(stage: Stage) -> None:
    with pytest.raises(Refused):
        await stage.ana.slash(stage.paintings, "channel open")
    for command in ("channel open", "channel close", "channel list"):
        answer = stage.ana.answer(await stage.ana.force(stage.paintings, command))
        assert "moderators" in answer.content


async def test_an_answer_that_is_there_but_was_not_heard_of_becomes_the_picture(open_stage: Stage) -> None:
    post = ("POST", "/channels/{channel_id}/messages")
    open_stage.server.faults.append(Fault(*post, status=CUT, after=True))
    said = await open_stage.ana.say(prompts(open_stage), "1girl, smile")
    picture = await picture_for(open_stage, said)
    assert answers_to(open_stage, said) == [picture]
