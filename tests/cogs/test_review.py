"""Appeals, reports and approval mode end to end: member, moderator, restart."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from db import audit, strikes
from domain import JobStatus
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from sandbox.people.person import Refused
from sandbox.world import changes
from sandbox.world.things import THREAD, Message
from tests.support.cards import fields_of, labels_of, text_of, title_of
from tests.support.refusals import LICENSED, LIFTABLE, PHRASE
from tests.support.review import appeal, decide, refused, review_cards
from tests.support.stage import Stage, is_delivered, make_stage, restarted


@pytest.fixture
async def review(stage: Stage) -> Stage:
    """A stage whose server has a review channel."""
    await stage.choose_review_channel()
    await stage.agree(stage.ana, stage.ben)
    return stage


def letters(stage: Stage) -> list[str]:
    return [message.content for message in stage.ana.sees(stage.ana.dm())]


async def actions(stage: Stage) -> list[str]:
    assert stage.paintings.guild_id is not None
    return [row.action for row in await audit.search(stage.database, stage.paintings.guild_id)]


async def test_the_card_shows_the_moderators_everything_with_the_words_behind_a_spoiler(review: Stage) -> None:
    card = await appeal(review, await refused(review))
    fields = fields_of(card)
    assert fields["Member"] == f"<@{review.ana.id}>"
    assert fields["In their words"] == "It is a café's name."
    assert fields["Prompt"].startswith("||")
    assert "gore" in fields["Grounds"]
    assert "1 refusal," in fields["History here"]
    assert labels_of(card) == ["Allow once", "Allow here from now on", "Uphold", "Block member"]


async def test_allow_once_paints_the_request_once(review: Stage) -> None:
    card = await appeal(review, await refused(review))
    await decide(review, card, "Allow once")
    picture = await review.ana.until(
        lambda: next((m for m in review.ana.sees(review.paintings) if is_delivered(m)), None)
    )
    assert f"<@{review.ana.id}>" in text_of(picture)
    assert "allowed your request" in letters(review)[-1]
    assert "allowed once" in card.embeds[0]["title"]
    assert labels_of(card) == []
    assert "case.allowed_once" in await actions(review)
    await refused(review)


async def test_allow_here_lets_everybody_use_the_phrase_and_can_be_taken_back(review: Stage) -> None:
    card = await appeal(review, await refused(review))
    opened = await review.mira.click(card, "Allow here from now on")
    assert opened.modal is not None
    await review.mira.submit(opened)
    await review.bot.background.run_all()
    await review.ben.until(lambda: any(is_delivered(m) for m in review.ben.sees(review.paintings)))
    await review.picture(review.ben, prompt=f"1boy, {PHRASE}")
    listed = review.mira.answer(await review.mira.slash(review.paintings, "review allowed"))
    assert PHRASE in listed.embeds[0]["description"]
    await review.mira.slash(review.paintings, "review revoke", phrase=PHRASE)
    await refused(review)


async def test_an_upheld_appeal_is_told_and_cannot_be_repeated(review: Stage) -> None:
    refusal = await refused(review)
    await decide(review, await appeal(review, refusal), "Uphold")
    assert "the refusal stands" in letters(review)[-1]
    again = review.ana.answer(await review.ana.click(refusal, "Appeal"))
    assert "appealed this already" in again.content


async def test_blocking_stops_the_member_here(review: Stage) -> None:
    card = await appeal(review, await refused(review))
    opened = await review.mira.click(card, "Block member")
    await review.mira.submit(opened, reason="enough")
    answer = review.ana.answer(await review.ana.slash(review.paintings, "imagine", prompt="1girl, smile"))
    assert "blocked" in answer.content
    assert "enough" in answer.content


async def test_a_clause_of_the_licence_can_be_allowed_once_but_never_for_a_server(review: Stage) -> None:
    card = await appeal(review, await refused(review, LICENSED))
    assert labels_of(card) == ["Allow once", "Uphold", "Block member"]


async def test_only_the_member_can_appeal_and_only_moderators_decide(review: Stage) -> None:
    refusal = await refused(review)
    with pytest.raises(Refused):
        await review.ben.click(refusal, "Appeal")
    card = await appeal(review, refusal)
    review.channel("mod-review").overwrites.clear()  # a server whose review channel is open to all
    answer = review.ben.answer(await review.ben.click(card, "Allow once"))
    assert "moderators" in answer.content
    assert "case.allowed_once" not in await actions(review)


async def test_of_two_moderators_the_second_hears_that_it_is_decided(review: Stage) -> None:
    card = await appeal(review, await refused(review))
    buttons = list(card.components)
    await decide(review, card, "Uphold")
    card.components = buttons
    late = review.mira.answer(await review.mira.click(card, "Allow once"))
    assert "decided already" in late.content


async def test_a_granted_appeal_takes_its_strike_back(review: Stage) -> None:
    guild_id = review.paintings.guild_id
    assert guild_id is not None
    for place in ("hill", "beach", "street"):
        refusal = await refused(review, f"{LIFTABLE}, {place}")
    assert await strikes.fetch_all(review.database, guild_id, review.ana.id)
    await decide(review, await appeal(review, refusal), "Allow once")
    now = review.service.now()
    live = [s for s in await strikes.fetch_all(review.database, guild_id, review.ana.id) if s.is_live(now)]
    assert live == []


async def test_without_a_review_channel_the_appeal_waits_for_one(stage: Stage) -> None:
    await stage.agree(stage.ana)
    opened = await stage.ana.click(await refused(stage), "Appeal")
    answer = stage.ana.answer(await stage.ana.submit(opened))
    assert "not chosen a review channel" in answer.content
    await stage.bot.background.run_all()
    assert review_cards(stage) == []
    await stage.choose_review_channel()
    await stage.bot.background.run_all()
    assert len(review_cards(stage)) == 1


async def test_appeal_and_decision_work_after_restarts(review: Stage) -> None:
    refusal = await refused(review)
    async with restarted(review) as after:
        opened = await after.ana.click(refusal, "Appeal")
        await after.ana.submit(opened)
        await after.bot.background.run_all()
        card = review_cards(after)[-1]
        async with restarted(after) as later:
            await decide(later, card, "Uphold")
            assert "the refusal stands" in letters(later)[-1]


async def test_a_reported_picture_is_removed_and_both_are_told(review: Stage) -> None:
    picture = await review.picture(review.ana)
    opened = await review.ben.click(picture, "Report")
    answer = review.ben.answer(await review.ben.submit(opened, reason="not nice"))
    assert "Thank you" in answer.content
    await review.bot.background.run_all()
    card = review_cards(review)[-1]
    assert card.attachments[0].filename.startswith("SPOILER_")
    await decide(review, card, "Remove the picture")
    assert picture.id not in [message.id for message in review.ana.sees(review.paintings)]
    assert "removed the picture" in review.ben.sees(review.ben.dm())[-1].content
    assert "removed one of your pictures" in letters(review)[-1]


async def test_the_cards_of_reports_and_approvals_show_what_the_picture_check_found(
    tmp_path: Path, tiny_model: LoadedModel
) -> None:
    async with make_stage(tmp_path, tiny_model, FixedScores({"hentai": 0.02, "neutral": 0.9, "sexy": 0.07})) as stage:
        await stage.choose_review_channel()
        await stage.agree(stage.ana)
        picture = await stage.picture(stage.ana, steps=4)
        await stage.ben.submit(await stage.ben.click(picture, "Report"), reason="not nice")
        await stage.bot.background.run_all()
        fields = fields_of(review_cards(stage)[-1])
        assert fields["The picture check's scores"] == "nsfwjs.neutral 0.90, nsfwjs.sexy 0.07"
        assert fields["Prompt"].startswith("||")
        assert "1 picture," in fields["History here"]


async def test_one_withheld_of_several_pictures_can_be_appealed(tmp_path: Path, tiny_model: LoadedModel) -> None:
    checked = count()
    # Previews are checked, too; of two pictures that are checked one after the other one is odd.
    checker = FixedScores(lambda _: {"hentai": 0.99 if next(checked) % 2 else 0.0})
    async with make_stage(tmp_path, tiny_model, checker) as stage:
        await stage.choose_review_channel()
        await stage.agree(stage.ana)
        message = await stage.picture(stage.ana, images=2, steps=4)
        assert len(message.attachments) == 1
        await stage.ana.submit(await stage.ana.click(message, "Appeal"), statement="an umbrella")
        await stage.bot.background.run_all()
        (card,) = review_cards(stage)
        assert "Allow here from now on" not in labels_of(card)
        await decide(stage, card, "Allow once")
        await stage.ana.until(lambda: len([m for m in stage.ana.sees(stage.paintings) if is_delivered(m)]) == 2)


async def test_the_same_member_reports_a_picture_once_also_by_menu(review: Stage) -> None:
    picture = await review.picture(review.ana)
    await review.ben.submit(await review.ben.click(picture, "Report"), reason="not nice")
    again = await review.ben.menu(review.paintings, "Report picture", picture)
    assert "already" in review.ben.answer(await review.ben.submit(again, reason="still not nice")).content


async def test_a_message_without_a_picture_can_not_be_reported(review: Stage) -> None:
    said = await review.ana.say(review.paintings, "hello")
    answer = review.ben.answer(await review.ben.menu(review.paintings, "Report picture", said))
    assert "no picture of mine" in answer.content


async def approval_on(stage: Stage) -> None:
    await stage.mira.slash(stage.paintings, "review approval", channel=stage.paintings.id, on=True)


async def waiting_picture(stage: Stage) -> tuple[Message, Message]:
    """(the member's message, the moderators' card) of a picture that waits for a yes."""
    message = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile"))
    await stage.ana.until(lambda: bool(review_cards(stage)))
    return message, review_cards(stage)[-1]


async def test_in_approval_mode_a_picture_appears_after_a_moderators_yes(review: Stage) -> None:
    await approval_on(review)
    shown: list[str] = []
    review.server.on_call = lambda _, __: shown.extend(
        one.filename for message in review.ben.sees(review.paintings) for one in message.attachments
    )
    message, card = await waiting_picture(review)
    review.server.on_call = None
    assert shown == []  # no preview either
    await review.ana.until(lambda: title_of(message) == "Waiting for a moderator")
    assert not is_delivered(message)
    await decide(review, card, "Show it")
    await review.ana.until(lambda: is_delivered(message))


async def test_in_approval_mode_a_no_withholds_the_picture(review: Stage) -> None:
    await approval_on(review)
    message, card = await waiting_picture(review)
    await decide(review, card, "Don't show it")
    await review.ana.until(lambda: title_of(message) == "Picture withheld")
    assert not is_delivered(message)
    row = await review.database.fetch_one("SELECT status FROM jobs")
    assert row is not None
    assert row["status"] == JobStatus.WITHHELD


async def test_a_picture_of_an_archived_thread_waits_for_the_yes_that_its_channel_asks_for(review: Stage) -> None:
    await approval_on(review)
    world = review.server.world
    thread = changes.open_thread(world, review.paintings, "snow", review.ana.id, THREAD, None)
    review.backend.pause()
    message = review.ana.answer(await review.ana.slash(thread, "imagine", prompt="1girl, smile", steps=50))
    changes.edit_channel(world, thread, is_archived=True)
    await review.ana.until(lambda: review.bot.get_channel(thread.id) is None)
    shown: set[str] = set()
    review.server.on_call = lambda _, __: shown.update(one.filename for one in message.attachments)
    review.backend.resume()
    await review.ana.until(lambda: is_delivered(message) or title_of(message) == "Waiting for a moderator")
    review.server.on_call = None
    assert shown == set()
    assert not is_delivered(message)


async def test_a_waiting_picture_waits_on_after_a_restart(review: Stage) -> None:
    await approval_on(review)
    message, card = await waiting_picture(review)
    async with restarted(review) as after:
        await decide(after, card, "Show it")
        await after.ana.until(lambda: is_delivered(message))


async def test_members_see_no_moderators_commands_and_are_refused_if_a_client_shows_them(review: Stage) -> None:
    with pytest.raises(Refused):
        await review.ana.slash(review.paintings, "review list")
    for command in ("review list", "review allowed"):
        answer = review.ana.answer(await review.ana.force(review.paintings, command))
        assert "moderators" in answer.content
    answer = review.ana.answer(
        await review.ana.force(review.paintings, "review approval", channel=review.paintings.id, on=True)
    )
    assert "manage this server" in answer.content


@pytest.mark.parametrize("is_away", [False, True])
async def test_open_cases_of_a_deleted_review_channel_are_shown_in_the_new_one(review: Stage, is_away: bool) -> None:
    """Also if the channel goes while the bot is away; decided cases stay gone."""
    stage, world = review, review.server.world
    await decide(stage, await appeal(stage, await refused(stage)), "Uphold")
    await appeal(stage, await refused(stage, LICENSED), "It is about a statue.")
    old, guild = stage.channel("mod-review"), world.guilds[stage.paintings.guild_id or 0]
    if is_away:
        await stage.running.aclose()
    changes.delete_channel(world, old)
    new = changes.add_channel(world, guild, "mod-review")
    async with AsyncExitStack() as running:
        if is_away:
            stage = await running.enter_async_context(restarted(stage))
        await stage.change_settings(review_channel_id=new.id)
        (card,) = await stage.mira.until(lambda: review_cards(stage))
        assert fields_of(card)["In their words"] == "It is about a statue."
        await decide(stage, card, "Uphold")
        assert labels_of(card) == []
        assert len(review_cards(stage)) == 1


async def test_open_cases_stay_where_they_are_while_their_channel_is_there(review: Stage) -> None:
    await appeal(review, await refused(review))
    async with restarted(review) as after:
        await after.bot.background.run_all()
        assert len(review_cards(after)) == 1
        changes.delete_channel(after.server.world, after.channel("prompts"))
        await after.bot.background.run_all()
        assert len(review_cards(after)) == 1
