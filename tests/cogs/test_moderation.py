"""Moderators' commands end to end, as moderator and as plain member, over the loopback Discord."""

from __future__ import annotations

import re

import pytest

from domain.quotas import credits_in_words
from sandbox.world import changes
from tests.support.cards import text_of, told
from tests.support.stage import Stage


async def test_quota_changes_hold_from_the_next_request_and_all_views_agree(stage: Stage) -> None:
    await stage.agree(stage.ana)
    assert "Set. It holds from the next request on." in await told(
        stage, "mira", "quota set", member=stage.ana.id, per_hour=1.0, reason="new here", expires="7d"
    )
    own = await told(stage, "ana", "quota me")
    assert "**1 credit** left now" in own
    assert "What the usual picture costs" in own
    await stage.picture(stage.ana, steps=4)
    cost = (await stage.database.fetch_one("SELECT cost FROM jobs"))["cost"]  # pyright: ignore[reportOptionalSubscript]
    assert 0 < cost < 1000
    left = f"**{(1000 - cost) / 1000:.2f}".rstrip("0")
    own, shown = await told(stage, "ana", "quota me"), await told(stage, "mira", "quota show", member=stage.ana.id)
    assert left in own
    assert left in shown
    assert "spend" in shown
    refused = await told(stage, "ana", "imagine", prompt="1girl", images=4)
    assert "credits left" in refused
    explained = await told(stage, "mira", "quota explain", member=stage.ana.id)
    assert f"**Per hour**: 1 credit, by <@{stage.ana.id}>" in explained
    assert "new here" in explained
    assert "new here" in await told(stage, "mira", "quota list")


async def left_in_all_views(stage: Stage) -> set[float]:
    """What is left by the member's own view, by the moderators' two, and summed by hand from the ledger."""
    found = {
        float(re.findall(r"([\d.]+) credits?(?:\*\*)? left now", text)[0])
        for text in (
            await told(stage, "ana", "quota me"),
            await told(stage, "mira", "quota show", member=stage.ana.id),
            await told(stage, "mira", "quota explain", member=stage.ana.id),
        )
    }
    row = await stage.database.fetch_one(
        """SELECT (SELECT per_hour FROM quota_rules WHERE subject = 'member')
               + coalesce(sum(amount) FILTER (WHERE kind = 'grant'), 0)
               + coalesce(sum(amount) FILTER (WHERE kind IN ('spend', 'refund') AND coalesce(anchor_id, id) >
                   (SELECT coalesce(max(id), 0) FROM ledger WHERE kind = 'reset')), 0)
           FROM ledger WHERE subject_id = ?""",
        (stage.ana.id,),
    )
    assert row is not None
    return found | {float(credits_in_words(round(row[0])).split()[0])}  # people read tenths


async def test_after_every_change_the_members_view_the_moderators_views_and_the_ledger_agree(stage: Stage) -> None:
    await stage.agree(stage.ana)
    ana = stage.ana.id

    async def wait_and_cancel() -> None:
        stage.backend.pause()
        waiting = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl"))
        assert len(await left_in_all_views(stage)) == 1
        await stage.ana.click(waiting, "Cancel")
        await stage.ana.until(lambda: "Cancelled" in text_of(waiting))
        stage.backend.resume()

    seen: list[float] = []
    for change in (
        told(stage, "mira", "quota set", member=ana, per_hour=6.0, expires="7d"),
        stage.picture(stage.ana, steps=4),
        told(stage, "mira", "quota set", member=ana, per_hour=9.0),
        wait_and_cancel(),
        told(stage, "mira", "quota grant", member=ana, amount=2.5),
        stage.picture(stage.ana, images=2, steps=4),
        told(stage, "mira", "quota reset", member=ana),
        stage.picture(stage.ana, steps=4),
    ):
        await change
        (left,) = await left_in_all_views(stage)
        seen.append(left)
    assert seen[0] == 6
    assert seen[2] == pytest.approx(seen[1] + 3, abs=0.1)
    assert seen[3] == seen[2]
    assert seen[4] == pytest.approx(seen[2] + 2.5, abs=0.1)
    assert seen[5] < seen[4]
    assert seen[6] == 11.5
    assert seen[7] == pytest.approx(11.5 - (6 - seen[1]), abs=0.1)


async def test_grant_reset_and_remove_are_told_and_written_down(stage: Stage) -> None:
    await stage.agree(stage.ana)
    assert "Granted 5 credits each to everyone" in await told(
        stage, "mira", "quota grant", everyone=True, amount=5.0, reason="summer party"
    )
    assert "Extra: 5 credits" in await told(stage, "ana", "quota me")
    await told(stage, "mira", "quota set", everyone=True, per_hour=2.0)
    await stage.picture(stage.ana, steps=4)
    await told(stage, "mira", "quota reset", member=stage.ana.id, reason="sorry")
    assert "0 credits of 2 credits used" in await told(stage, "ana", "quota me")
    assert "is gone" in await told(stage, "mira", "quota remove", everyone=True)
    assert "There is no quota rule" in await told(stage, "mira", "quota remove", everyone=True)
    log = await told(stage, "mira", "audit")
    for action in ("quota.grant", "quota.set", "quota.reset", "quota.remove"):
        assert action in log
    assert "summer party" in log


async def test_what_holds_for_a_role_a_channel_and_everyone_is_shown_with_its_ledger(stage: Stage) -> None:
    await stage.agree(stage.ana)
    world = stage.server.world
    artists = changes.add_role(world, world.guilds[stage.paintings.guild_id or 0], "artists")
    here = stage.paintings.id
    await told(stage, "mira", "quota set", role=artists.id, per_hour=30.0, weight=2.0, reason="they earned it")
    await told(stage, "mira", "quota grant", role=artists.id, amount=5.0, reason="a prize", expires="7d")
    await told(stage, "mira", "quota grant", member=stage.ana.id, amount=0.01, reason="a crumb")
    await told(stage, "mira", "quota reset", channel=here, reason="a new month")
    await stage.picture(stage.ana, steps=4)
    cost = (await stage.service.jobs.fetch(1)).cost
    role = await told(stage, "mira", "quota show", role=artists.id)
    assert "30 credits an hour, weight 2" in role
    assert "they earned it" in role
    assert "grant +5 credits" in role
    channel = await told(stage, "mira", "quota show", channel=here)
    assert f"{credits_in_words(cost)} within an hour" in channel
    assert "reset · a new month" in channel
    assert "None; the next one down holds." in await told(stage, "mira", "quota show", everyone=True)
    listed = await told(stage, "mira", "quota list")
    assert f"the role <@&{artists.id}>: 5 credits each, until" in listed
    assert "a crumb" in listed
    assert "Choose exactly one of" in await told(stage, "mira", "quota show")


async def test_weights_of_roles_and_servers_are_what_the_queue_gets(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    world = stage.server.world
    guild = world.guilds[stage.paintings.guild_id or 0]
    boosters = changes.add_role(world, guild, "boosters")
    changes.set_roles(world, guild, stage.ana.id, [boosters.id])
    await told(stage, "mira", "quota set", role=boosters.id, weight=3.0)
    owner = type(stage.mira)(stage.server, guild.owner_id)
    await owner.slash(stage.paintings, "owner budget", server_id=str(guild.id), weight=2.0)
    for person in (stage.ana, stage.ben):
        await stage.picture(person, steps=4)
    mine, other = await stage.service.jobs.fetch(1), await stage.service.jobs.fetch(2)
    assert (mine.weight, mine.guild_weight) == (3.0, 2.0)
    assert (other.weight, other.guild_weight) == (1.0, 2.0)
    assert "**Weight**: 3, by the role" in await told(stage, "mira", "quota explain", member=stage.ana.id)


async def test_bad_input_gets_a_sentence(stage: Stage) -> None:
    assert "Choose exactly one of" in await told(stage, "mira", "quota set", per_hour=1.0)
    assert "at least one of" in await told(stage, "mira", "quota set", everyone=True)
    said = await told(stage, "mira", "quota set", everyone=True, jobs=1, expires="soon")
    assert "for example 30m, 12h, 7d, 2 weeks or 2d 12h" in said
    assert "until" in await told(stage, "mira", "quota set", everyone=True, jobs=1, expires="2d 12h")
    assert "this server's moderators" in await told(stage, "ana", "quota set", per_hour=1.0)


async def test_a_blocked_member_reads_why_and_can_paint_after_the_unblock(stage: Stage) -> None:
    await stage.agree(stage.ana)
    said = await told(stage, "mira", "block", member=stage.ana.id, reason="spam", expires="2h")
    assert f"<@{stage.ana.id}> can't paint here until" in said
    refused = await told(stage, "ana", "imagine", prompt="1girl")
    assert "You are blocked from painting in this server until" in refused
    assert "spam" in refused
    assert "spam" in await told(stage, "mira", "blocks")
    assert "can paint here again" in await told(stage, "mira", "unblock", member=stage.ana.id)
    await stage.picture(stage.ana, steps=4)
    assert "is not blocked" in await told(stage, "mira", "unblock", member=stage.ana.id)


async def test_a_block_takes_waiting_pictures_back_and_returns_their_cost(stage: Stage) -> None:
    await stage.agree(stage.ana)
    stage.backend.pause()
    waiting = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl"))
    assert "1 picture in the queue cancelled" in await told(stage, "mira", "block", member=stage.ana.id, reason="spam")
    await stage.ana.until(lambda: "Cancelled" in text_of(waiting))
    row = await stage.database.fetch_one("SELECT sum(amount) FROM ledger")
    assert row is not None
    assert row[0] == 0


async def test_a_delegated_role_moderates_and_only_managers_delegate(stage: Stage) -> None:
    world = stage.server.world
    guild = world.guilds[stage.paintings.guild_id or 0]
    helpers = changes.add_role(world, guild, "helpers")
    refused = stage.ana.answer(await stage.ana.force(stage.paintings, "settings role moderators", role=helpers.id))
    assert "Manage Server" in refused.content
    changes.set_roles(world, guild, stage.ana.id, [helpers.id])
    refused = stage.ana.answer(await stage.ana.slash(stage.paintings, "quota list"))
    assert "server's moderators" in refused.content
    assert f"<@&{helpers.id}>" in await told(stage, "mira", "settings role moderators", role=helpers.id)
    assert "None yet" in await told(stage, "ana", "quota list")
    said = await told(stage, "mira", "settings role moderators", role=helpers.id, remove=True)
    assert "moderators: none" in said
    refused = stage.ana.answer(await stage.ana.slash(stage.paintings, "quota list"))
    assert "server's moderators" in refused.content


async def test_the_owner_pauses_drains_and_blocks_for_all(stage: Stage) -> None:
    await stage.agree(stage.ana)
    rosa = next(user for user in stage.server.world.users.values() if user.name == "rosa")
    owner = type(stage.mira)(stage.server, rosa.id)
    refused = stage.mira.answer(await stage.mira.force(stage.paintings, "owner pause"))
    assert "the person who runs this bot" in refused.content

    paused = owner.answer(await owner.slash(stage.paintings, "owner pause"))
    assert "Painting is paused" in paused.content
    assert stage.service.queue.report().paused
    drained = owner.answer(await owner.slash(stage.paintings, "owner drain"))
    assert "nothing new is accepted" in drained.content
    assert "takes no new pictures" in await told(stage, "ana", "imagine", prompt="1girl")
    opened = owner.answer(await owner.slash(stage.paintings, "owner resume"))
    assert "The queue is open" in opened.content

    await owner.slash(stage.paintings, "owner block-user", user=stage.ana.id, reason="abuse")
    assert "You are blocked from painting. The reason given: abuse" in await told(stage, "ana", "imagine", prompt="x")
    await owner.slash(stage.paintings, "owner unblock-user", user=stage.ana.id)
    guild_id = stage.paintings.guild_id
    await owner.slash(stage.paintings, "owner block-server", server_id=str(guild_id), reason="abuse")
    assert "This server is blocked" in await told(stage, "ana", "imagine", prompt="x")
    await owner.slash(stage.paintings, "owner unblock-server", server_id=str(guild_id))
    budget = owner.answer(
        await owner.slash(stage.paintings, "owner budget", server_id=str(guild_id), per_hour=0.0, reason="test")
    )
    assert "this server as a whole" in budget.content
    assert "in its own budget" in await told(stage, "ana", "imagine", prompt="1girl")
