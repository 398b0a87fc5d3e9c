"""The loopback Discord's borders: permissions, limits, faults, the gateway's sessions, what is checked of requests."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import pytest

from sandbox.people import channel_named, person
from sandbox.people.person import WAIT_SECONDS, Person
from sandbox.rest.limits import CUT, Fault, RouteLimit
from sandbox.server import API, LoopbackDiscord
from sandbox.world import changes
from sandbox.world.things import ApiError, Channel, Message
from sandbox.world.world import default_world
from tests.support.sandbox_bot import SandboxBot, logged_in

MESSAGES = "/channels/{channel_id}/messages"


def at(bot: SandboxBot, channel: Channel) -> discord.TextChannel:
    found = bot.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    return found


async def heard(bot: SandboxBot, content: str) -> discord.Message:
    """The bot's message with this content; waits for it."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            for message in bot.heard:
                if message.content == content:
                    return message
            await bot.wait_for("message")
            await asyncio.sleep(0)


# ---- permissions and rules of place ----


async def test_the_bot_needs_its_permissions(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    place, world = at(bot, paintings), ana.world
    cases = [
        (discord.Permissions(embed_links=True), {"embed": discord.Embed(title="x")}, 50013),
        (discord.Permissions(send_messages=True), {"content": "x"}, 50013),
        (discord.Permissions(view_channel=True), {"content": "x"}, 50001),
    ]
    for denied, message, code in cases:
        paintings.overwrites[world.bot.id] = (0, denied.value)
        with pytest.raises(discord.Forbidden) as raised:
            await place.send(**message)  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert raised.value.code == code


async def test_people_need_theirs(discord_server: LoopbackDiscord, ana: Person, paintings: Channel) -> None:
    world, guild = ana.world, next(iter(ana.world.guilds.values()))
    with pytest.raises(ApiError, match="50001"):
        await ana.say(channel_named(world, "mod-review"), "x")
    changes.time_out(world, guild, ana.id, world.now() + 60)
    with pytest.raises(ApiError, match="50013"):
        await ana.say(paintings, "x")
    world.advance(61)
    said = await ana.say(paintings, "x")
    with pytest.raises(ApiError, match="50013"):
        await person(discord_server, "ben").delete(said)
    await person(discord_server, "mira").delete(said)


async def test_direct_messages_may_be_closed(bot: SandboxBot, ana: Person) -> None:
    ana.world.users[ana.id].accepts_dms = False
    with pytest.raises(discord.Forbidden) as raised:
        await (await bot.fetch_user(ana.id)).send("x")
    assert raised.value.code == 50007


async def test_an_age_restricted_channel_is_one_for_the_bot_and_can_change(bot: SandboxBot, ana: Person) -> None:
    after_dark = channel_named(ana.world, "after-dark")
    assert at(bot, after_dark).is_nsfw()
    async with asyncio.timeout(WAIT_SECONDS):
        told = asyncio.create_task(bot.wait_for("guild_channel_update"))
        await asyncio.sleep(0)
        changes.edit_channel(ana.world, after_dark, nsfw=False)
        await told
    assert not at(bot, after_dark).is_nsfw()


async def test_files_over_the_limit_are_refused(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    ana.world.upload_limit = 1000
    with pytest.raises(discord.HTTPException) as raised:
        await at(bot, paintings).send(file=discord.File(io.BytesIO(b"x" * 1001), "x.bin"))
    assert (raised.value.status, raised.value.code) == (413, 40005)


# ---- messages ----


async def test_the_same_nonce_within_minutes_gives_the_first_message(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    place = at(bot, paintings)
    first, second = await place.send("one", nonce="job-1"), await place.send("one", nonce="job-1")
    ana.world.advance(301)
    third = await place.send("one", nonce="job-1")
    assert first.id == second.id != third.id
    assert len(ana.sees(paintings)) == 2


async def test_history_pages_both_ways(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    said = [await ana.say(paintings, str(number)) for number in range(5)]
    place = at(bot, paintings)
    newest = [one.content async for one in place.history(limit=2)]
    after = [one.content async for one in place.history(limit=2, after=discord.Object(said[1].id))]
    before = [one.content async for one in place.history(limit=2, before=discord.Object(said[2].id))]
    assert (newest, after, before) == (["4", "3"], ["2", "3"], ["1", "0"])


async def test_a_prompt_channel_replies_with_files_and_reacts(bot: SandboxBot, ana: Person) -> None:
    prompts = channel_named(ana.world, "prompts")
    asked = await ana.say(prompts, "1girl", ("in.png", b"bytes"))
    reply = await ana.until(lambda: next((one for one in ana.sees(prompts) if one.reference), None))
    assert reply.content == "prompt: 1girl"
    assert reply.attachments[0].data == b"bytes"
    assert reply.mentions == [ana.id]
    assert asked.reactions == {"🎨": [ana.world.bot.id]}


async def test_threads_pins_and_bulk_deletion(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    said = [await ana.say(paintings, str(number)) for number in range(3)]
    message = await at(bot, paintings).fetch_message(said[0].id)
    thread = await message.create_thread(name="talk")
    assert thread.id == message.id
    await thread.send("inside")
    assert [one.content for one in ana.sees(ana.world.channels[thread.id])] == ["inside"]
    with pytest.raises(discord.HTTPException) as raised:
        await message.create_thread(name="again")
    assert raised.value.code == 160004
    await message.pin()
    assert [one.id async for one in at(bot, paintings).pins()] == [message.id]
    await at(bot, paintings).delete_messages([discord.Object(one.id) for one in said[1:]])
    assert [one.content for one in ana.sees(paintings)] == ["0"]
    await thread.edit(archived=True)
    assert ana.world.channels[thread.id].is_archived


async def test_reactions_reach_the_bot_and_can_be_listed(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    message = await at(bot, paintings).send("look")
    async with asyncio.timeout(WAIT_SECONDS):
        told = asyncio.create_task(bot.wait_for("raw_reaction_add"))
        await asyncio.sleep(0)
        await ana.react(ana.world.messages[message.id], "⭐")
        payload = await told
    assert (payload.user_id, payload.message_id, str(payload.emoji)) == (ana.id, message.id, "⭐")
    shown = await message.fetch()
    assert [user.id async for user in shown.reactions[0].users()] == [ana.id]


async def test_only_allowed_mentions_ping(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    text = f"@everyone <@{ana.id}>"
    quiet = await at(bot, paintings).send(text, allowed_mentions=discord.AllowedMentions.none())
    loud = await at(bot, paintings).send(text, allowed_mentions=discord.AllowedMentions(users=True, everyone=True))
    assert ana.world.messages[quiet.id].mentions == []
    assert ana.world.messages[loud.id].mentions == [ana.id]
    assert not ana.world.messages[loud.id].mention_everyone


async def test_members_roles_and_channels_can_be_managed_with_the_permission(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    world, guild = ana.world, bot.guilds[0]
    with pytest.raises(discord.Forbidden):
        await guild.create_text_channel("gallery")
    role = next(one for one in world.guilds[guild.id].roles.values() if one.name == world.bot.name)
    extra = discord.Permissions(manage_channels=True, manage_roles=True, moderate_members=True)
    changes.edit_role(world, world.guilds[guild.id], role, permissions=role.permissions | extra.value)
    made = await guild.create_text_channel("gallery", nsfw=True)
    assert world.channels[made.id].nsfw
    member = await guild.fetch_member(ana.id)
    await member.timeout(discord.utils.utcnow() + timedelta(minutes=1))
    assert not world.permissions(ana.id, world.channels[made.id]) & discord.Permissions.send_messages.flag
    await member.timeout(None)
    assert world.permissions(ana.id, world.channels[made.id]) & discord.Permissions.send_messages.flag
    await made.delete()
    assert made.id not in world.channels


# ---- limits and faults ----


async def test_a_full_bucket_makes_the_bot_wait_not_fail(
    discord_server: LoopbackDiscord, bot: SandboxBot, paintings: Channel
) -> None:
    discord_server.rate_limits.limits = {("POST", MESSAGES): RouteLimit(2, 0.3)}
    for number in range(5):
        await at(bot, paintings).send(str(number))
    assert discord_server.rate_limited == []
    times = [call.at for call in discord_server.calls if call.route == MESSAGES]
    assert times[4] - times[0] >= 0.5


async def test_a_client_that_does_not_count_is_told_to_slow_down_until_the_window_ends() -> None:
    async with (
        LoopbackDiscord(default_world(clock=lambda: 1_800_000_000.0)) as server,
        aiohttp.ClientSession() as client,
    ):
        paintings = channel_named(server.world, "paintings")

        async def post() -> int:
            url = f"{server.base_url}{API}/channels/{paintings.id}/messages"
            async with client.post(url, json={"content": "x"}) as response:
                return response.status

        assert [await post() for _ in range(7)] == [200] * 5 + [429] * 2
        server.world.advance(4.9)
        assert await post() == 429
        server.world.advance(0.2)
        assert await post() == 200
        assert len(server.rate_limited) == 3


async def test_faults_are_what_discord_py_makes_of_them(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    discord_server.faults.append(Fault("POST", MESSAGES, 429, retry_after=0.05))
    await at(bot, paintings).send("retried after a 429")
    discord_server.faults.append(Fault("POST", MESSAGES, 502, after=True))
    await at(bot, paintings).send("carried out, answer lost", nonce="n-1")
    assert [one.content for one in ana.sees(paintings)] == ["retried after a 429", "carried out, answer lost"]
    discord_server.faults.append(Fault("POST", MESSAGES, CUT))
    with pytest.raises(aiohttp.ClientError):
        await at(bot, paintings).send("connection cut")
    assert [call.status for call in discord_server.calls if call.route == MESSAGES][:2] == [429, 200]


# ---- the gateway ----


async def test_a_dropped_socket_resumes_and_replays_what_was_missed(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    await discord_server.gateway.drop()
    for number in range(5):
        await ana.say(paintings, f"while away {number}")
    await heard(bot, "while away 4")
    assert [one.content for one in bot.heard] == [f"while away {number}" for number in range(5)]
    assert (discord_server.gateway.identified, discord_server.gateway.resumed) == (1, 1)


async def test_a_reconnect_request_resumes_and_an_invalid_session_identifies_again(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        resumed = asyncio.create_task(bot.wait_for("resumed"))
        await asyncio.sleep(0)
        await discord_server.gateway.ask_to_reconnect()
        await resumed
    await ana.say(paintings, "after the reconnect")
    await heard(bot, "after the reconnect")
    assert discord_server.gateway.identified == 1
    await discord_server.gateway.invalidate()
    await ana.until(lambda: discord_server.gateway.identified == 2)


async def test_without_intents_words_and_members_are_missing(discord_server: LoopbackDiscord) -> None:
    ana, paintings = person(discord_server, "ana"), channel_named(discord_server.world, "paintings")
    async with logged_in(discord_server, message_content=False) as bot:
        await ana.say(paintings, "secret")
        await ana.say(paintings, f"<@{ana.world.bot.id}> for you")
        await ana.say(ana.dm(), "direct")
        await heard(bot, "direct")
        assert [one.content for one in bot.heard] == ["", f"<@{ana.world.bot.id}> for you", "direct"]
        assert [one.content async for one in at(bot, paintings).history()][1] == ""
        assert [member.id for member in bot.guilds[0].members] == [ana.world.bot.id]
        members = await bot.guilds[0].query_members(user_ids=[ana.id])
        assert [member.id for member in members] == [ana.id]


async def test_refused_intents_and_tokens_end_the_login(discord_server: LoopbackDiscord) -> None:
    discord_server.gateway.refused_intents = discord.Intents(message_content=True)
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with logged_in(discord_server):
            pass
    discord_server.token = "another"
    with pytest.raises(discord.LoginFailure):
        async with logged_in(discord_server, message_content=False):
            pass


async def test_joining_and_leaving_a_server_is_told(bot: SandboxBot, ana: Person) -> None:
    guild = ana.world.add_guild("Second", ana.world.users[ana.id])
    async with asyncio.timeout(WAIT_SECONDS):
        joined = asyncio.create_task(bot.wait_for("guild_join"))
        await asyncio.sleep(0)
        changes.invite_bot(ana.world, guild)
        assert (await joined).name == "Second"
        left = asyncio.create_task(bot.wait_for("guild_remove"))
        await asyncio.sleep(0)
        changes.remove_bot(ana.world, guild)
        assert (await left).id == guild.id


async def test_events_are_those_before_a_persons_eyes(discord_server: LoopbackDiscord, ana: Person) -> None:
    ben, seen = person(discord_server, "ben"), list[str]()

    async def watch() -> None:
        async for event in ben.events():
            seen.append(event["name"])
            if event["data"].get("content") == "end":
                return

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    paintings = channel_named(ana.world, "paintings")
    await ana.slash(paintings, "echo", text="psst", hidden=True)
    mira = person(discord_server, "mira")
    await mira.say(channel_named(ana.world, "mod-review"), "among us")
    await ben.say(paintings, "end")
    async with asyncio.timeout(WAIT_SECONDS):
        await watching
    assert seen == ["MESSAGE_CREATE"]


# ---- the world on its own ----


def test_ids_carry_the_movable_clock_and_never_repeat() -> None:
    world = default_world(clock=lambda: 1_800_000_000.0)
    ids = [world.new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert discord.utils.snowflake_time(ids[0]) == datetime.fromtimestamp(1_800_000_000, UTC)
    world.advance(60)
    moved = Message(world.new_id(), 0, 0)
    assert discord.utils.snowflake_time(moved.id) == datetime.fromtimestamp(1_800_000_060, UTC)
