"""/challenge: themes, anonymous entries, one vote each, winners.

Announcements, entries and results are posted from rows by the rounds, and a challenge ends because its row says so.
"""

from __future__ import annotations

import io
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands, ui
from discord.app_commands import Range
from discord.ext import commands

from cogs.cases.reports import job_of_message
from cogs.community.challenge_cards import announcement_card, entry_card, results_card
from cogs.core.channels import may_be_shown, require_posting
from cogs.core.checks import require_moderator
from cogs.core.errors import RowButton, View, or_reply
from cogs.core.i18n import words_for
from cogs.core.text import NOBODY
from db import audit, challenges, jobs
from db.challenges import Challenge, Entry
from domain import InvalidRequest, Job, JobStatus, NotAllowed, NotFound

if TYPE_CHECKING:
    from cogs.core.bot import Bot

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

MENU = "Enter in challenge"
MAX_THEMES = 20
MAX_DAYS = 60
MAX_OFFERED = 25
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def duration_in(text: str) -> timedelta:
    """`90m`, `12h`, `3d`, `1w` or `2d 12h`. Raises InvalidRequest."""
    compact = re.sub(r"\s+", "", text.casefold())
    parts = re.findall(r"(\d{1,4})([mhdw])", compact)
    total = sum((int(number) * UNITS[unit] for number, unit in parts), timedelta())
    if "".join(f"{number}{unit}" for number, unit in parts) != compact or not total:
        raise InvalidRequest("Please give a time like `90m`, `12h`, `3d`, `1w` or `2d 12h`.")
    if total > timedelta(days=MAX_DAYS):
        raise InvalidRequest(f"A challenge may take at most {MAX_DAYS} days.")
    return total


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class Challenges(commands.GroupCog, group_name="challenge"):
    """Moderators start and end challenges; everybody enters and votes with buttons."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._menu = app_commands.ContextMenu(name=MENU, callback=self.enter_message)

    async def cog_load(self) -> None:
        self.bot.tree.add_command(self._menu)
        for chore in (self.end_due, self.post_announcements, self.post_entries, self.post_results):
            self.bot.rounds.add(chore)

    async def cog_unload(self) -> None:
        self.bot.tree.remove_command(self._menu.name, type=self._menu.type)

    # ---- commands --------------------------------------------------------------------------------------------------

    @app_commands.command()
    @app_commands.describe(
        theme="The theme; several with | between them take turns when the challenge comes back",
        ends="When it ends, from now: 12h, 3d, 1w",
        channel="Where it takes place; here if left out",
        every="Only for a challenge that comes back: how long from one start to the next, such as 1w",
    )
    async def start(
        self,
        interaction: Interaction,
        theme: Range[str, 1, 500],
        ends: str,
        channel: discord.TextChannel | None = None,
        every: str | None = None,
    ) -> None:
        """Start a challenge with a theme"""
        guild_id, now = await require_moderator(interaction), self.bot.service.clock()
        themes = tuple(part.strip() for part in theme.split("|") if part.strip())[:MAX_THEMES]
        length, repeat = duration_in(ends), duration_in(every) if every else None
        if not themes:
            raise InvalidRequest("Please give a theme.")
        if repeat is not None and repeat < length:
            raise InvalidRequest("It can't come back before it has ended: `every` must be at least as long as `ends`.")
        require_posting(place := channel or interaction.channel)
        place_id = place.id if place else 0
        async with self.bot.service.database.transaction() as connection:
            challenge_id = await challenges.start(
                connection,
                guild_id=guild_id,
                channel_id=place_id,
                themes=themes,
                created_by=interaction.user.id,
                starts_at=now,
                ends_at=now + length,
                repeat=repeat,
            )
            details = {"challenge": challenge_id}
            await audit.record(
                connection, guild_id, interaction.user.id, "challenge.start", f"channel:{place_id}", details, now
            )
        await interaction.response.send_message(f"Challenge {challenge_id} starts in <#{place_id}>.", ephemeral=True)
        self.bot.rounds.wake()

    @app_commands.command()
    @app_commands.describe(challenge="Its number", winners="Whether the votes so far decide; otherwise nobody wins")
    async def end(self, interaction: Interaction, challenge: int, winners: bool = True) -> None:
        """End a challenge now, for good"""
        guild_id, now = await require_moderator(interaction), self.bot.service.clock()
        found = await challenges.fetch(self.bot.service.database, challenge)
        if found is None or found.guild_id != guild_id or found.status != "open":
            raise NotFound("There is no open challenge with this number; `/challenges` shows them.")
        async with self.bot.service.database.transaction() as connection:
            if winners:
                await challenges.end_now(connection, challenge, now)
            else:
                await challenges.cancel(connection, challenge)
            details = {"challenge": challenge, "winners": winners}
            await audit.record(connection, guild_id, interaction.user.id, "challenge.end", "server", details, now)
        await interaction.response.send_message(f"Challenge {challenge} is over.", ephemeral=True)
        self.bot.rounds.wake()

    @app_commands.guild_only()
    async def enter_message(self, interaction: Interaction, message: discord.Message) -> None:
        """Enter the picture of a message in the running challenge"""
        job = await job_of_message(self.bot.service.database, message.id)
        service = self.bot.service
        running = await challenges.fetch_open(service.database, interaction.guild_id or 0, service.clock())
        if job is None:
            raise NotFound("I know no picture of mine in this message.")
        if not running:
            raise NotFound("No challenge is running at the moment.")
        await enter(interaction, running[0], job)

    # ---- the rounds ------------------------------------------------------------------------------------------------

    async def end_due(self) -> None:
        """Close what is over; recurring ones open their next round in the same transaction."""
        async with self.bot.service.database.transaction() as connection:
            await challenges.end_due(connection, self.bot.service.clock())

    async def post_announcements(self) -> None:
        service = self.bot.service
        for challenge in await challenges.fetch_unannounced(service.database, service.clock()):
            words, view = await words_for(self.bot, challenge.guild_id), View()
            view.add_item(EnterButton(challenge.id))
            view.add_item(WithdrawButton(challenge.id))
            card = announcement_card(challenge, words)
            message_id = await self._post(challenge, f"challenge-{challenge.id}", embed=card, view=words.labels(view))
            async with service.database.transaction() as connection:
                await challenges.mark_announced(connection, challenge.id, message_id)

    async def post_entries(self) -> None:
        service = self.bot.service
        for entry in await challenges.fetch_unposted_entries(service.database):
            challenge = await challenges.fetch(service.database, entry.challenge_id)
            if challenge is None:
                continue
            message_id = await self._post_entry(challenge, entry)
            async with service.database.transaction() as connection:
                await challenges.mark_posted(connection, entry.id, message_id)

    async def _post_entry(self, challenge: Challenge, entry: Entry) -> int:
        postings = await self.bot.service.postings(entry.job_id, discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES)
        if not postings:
            return 0  # erased meanwhile
        filename = f"entry-{entry.number}{postings[0].filename[postings[0].filename.rindex('.') :]}"
        words, view = await words_for(self.bot, challenge.guild_id), View()
        view.add_item(VoteButton(entry.id))
        return await self._post(
            challenge,
            f"entry-{entry.id}",
            embed=entry_card(challenge, entry, filename, words),
            view=words.labels(view),
            file=discord.File(io.BytesIO(postings[0].data), filename, description="An AI-generated picture"),
        )

    async def post_results(self) -> None:
        service = self.bot.service
        for challenge in await challenges.fetch_unreported(service.database):
            entries = await challenges.fetch_entries(service.database, challenge.id)
            winners = [discord.Object(entry.user_id) for entry in entries if entry.is_winner][:20]
            message_id = await self._post(
                challenge,
                f"results-{challenge.id}",
                content=" ".join(f"<@{winner.id}>" for winner in winners) or None,
                embed=results_card(challenge, entries, await words_for(self.bot, challenge.guild_id)),
                allowed_mentions=discord.AllowedMentions(users=winners),
            )
            async with service.database.transaction() as connection:
                await challenges.mark_reported(connection, challenge.id, message_id)

    async def _post(self, challenge: Challenge, nonce: str, **message: Any) -> int:
        """The posted message's id, or 0 if the channel is gone or closed to us (nothing is tried for ever)."""
        message.setdefault("allowed_mentions", NOBODY)
        channel = self.bot.get_partial_messageable(challenge.channel_id)
        await self.bot.pace.take(challenge.channel_id)
        try:
            return (await channel.send(nonce=nonce, **message)).id
        except (discord.Forbidden, discord.NotFound):
            log.warning("challenge %d: its channel is closed to the bot", challenge.id)
            return 0


# ---- entering and voting ---------------------------------------------------------------------------------------------


async def enter(interaction: Interaction, challenge: Challenge, job: Job) -> None:
    """Enter a member's own picture, if the challenge's channel may show it."""
    bot = cast("Bot", interaction.client)
    if job.user_id != interaction.user.id or job.guild_id != challenge.guild_id:
        raise NotAllowed("You can enter pictures only that you asked for yourself, in this server.")
    if job.status is not JobStatus.DELIVERED or not any(one.png for one in await bot.service.pictures(job.id)):
        raise NotFound("This picture is not finished, or not stored any more.")
    if not await may_be_shown(bot, job, challenge.channel_id):
        raise NotAllowed(
            f"This picture was made in a channel that allows more than <#{challenge.channel_id}> does, for example an "
            "age-restricted one, so it can't be shown in this challenge."
        )
    async with bot.service.database.transaction() as connection:
        entry = await challenges.enter(connection, challenge.id, interaction.user.id, job.id, bot.service.clock())
    await interaction.response.send_message(
        f"Your picture is entry {entry.number}. Nobody sees whose it is until the end.", ephemeral=True
    )
    bot.rounds.wake()


class EnterButton(RowButton, template=r"challenge:enter:(?P<row_id>[0-9]+)"):
    """Choose one of one's pictures; the row is the challenge."""

    prefix, label, style = "challenge:enter", "Enter", discord.ButtonStyle.primary

    async def act(self, interaction: Interaction) -> None:
        bot = cast("Bot", interaction.client)
        rows = await bot.service.database.fetch_all(
            """SELECT id FROM jobs WHERE user_id = ? AND guild_id = ? AND status = 'delivered'
                 AND EXISTS (SELECT 1 FROM pictures WHERE job_id = jobs.id AND png IS NOT NULL)
               ORDER BY id DESC LIMIT ?""",
            (interaction.user.id, interaction.guild_id, MAX_OFFERED),
        )
        if not rows:
            raise NotFound("You have no pictures here yet. Paint one with `/imagine`, then press Enter again.")
        view = View()
        view.add_item(PictureSelect(self.row_id, [await bot.service.job(row["id"]) for row in rows]))
        await interaction.response.send_message(
            "Which picture do you enter? (Another way: a picture's ⋯ → Apps → Enter in challenge.)",
            view=view,
            ephemeral=True,
        )


class PictureSelect(ui.DynamicItem[ui.Select[Any]], template=r"challenge:picture:(?P<row_id>[0-9]+)"):
    """One's pictures, newest first."""

    def __init__(self, challenge_id: int, offered: list[Job]) -> None:
        self.challenge_id = challenge_id
        options = [
            discord.SelectOption(label=(job.request.prompt or "a picture")[:100], value=str(job.id)) for job in offered
        ] or [discord.SelectOption(label="none", value="0")]
        super().__init__(ui.Select(custom_id=f"challenge:picture:{challenge_id}", options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> PictureSelect:
        return cls(int(match["row_id"]), [])

    async def callback(self, interaction: Interaction) -> None:
        await or_reply(interaction, self._choose(interaction))

    async def _choose(self, interaction: Interaction) -> None:
        database = cast("Bot", interaction.client).service.database
        values = cast("list[str]", (interaction.data or {}).get("values", []))
        challenge = await challenges.fetch(database, self.challenge_id)
        job = await jobs.fetch(database, int(values[0])) if values else None
        if challenge is None or job is None:
            raise NotFound("This challenge or this picture is not stored any more.")
        await enter(interaction, challenge, job)


class WithdrawButton(RowButton, template=r"challenge:withdraw:(?P<row_id>[0-9]+)"):
    """Take one's entry back; the row is the challenge."""

    prefix, label = "challenge:withdraw", "Take my entry back"

    async def act(self, interaction: Interaction) -> None:
        bot = cast("Bot", interaction.client)
        async with bot.service.database.transaction() as connection:
            entry = await challenges.withdraw(connection, self.row_id, interaction.user.id, bot.service.clock())
        challenge = await challenges.fetch(bot.service.database, self.row_id)
        await interaction.response.send_message("Your entry is taken back.", ephemeral=True)
        if challenge is not None and entry.message_id:
            await bot.delete_quietly(challenge.channel_id, entry.message_id)


class VoteButton(RowButton, template=r"challenge:vote:(?P<row_id>[0-9]+)"):
    """Give one's vote to this entry; the row is the entry."""

    prefix, label, emoji = "challenge:vote", "Vote", "🗳️"

    async def act(self, interaction: Interaction) -> None:
        bot = cast("Bot", interaction.client)
        async with bot.service.database.transaction() as connection:
            entry = await challenges.vote(connection, self.row_id, interaction.user.id, bot.service.clock())
        await interaction.response.send_message(
            f"Your vote is for entry {entry.number}. Until the end you can give it to another one.", ephemeral=True
        )


BUTTONS: tuple[type[ui.DynamicItem[Any]], ...] = (EnterButton, PictureSelect, WithdrawButton, VoteButton)
