"""The moderators' side: cards in the review channel, answers to members, approval mode, and /review.

Both the cards and the answers follow from rows: a round shows every case whose card is out of date and tells every
member who has not been told, so a crash in between only delays them.
"""

from __future__ import annotations

import io
import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiosqlite
import discord
from discord import app_commands
from discord.ext import commands

from cogs.cases.decide import case_buttons
from cogs.cases.embeds import CaseFile, case_card, clause_words
from cogs.core.checks import require_manager, require_moderator
from cogs.core.text import NOBODY, inert, plural
from cogs.imagine.submit import place_of
from db import allowances, appeals, audit, guild_settings
from db.appeals import Case
from domain import SEED_LIMIT, Job, JobStatus, NotFound, Origin, SafetyLevel, UserError

if TYPE_CHECKING:
    from cogs.core.bot import Bot

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

PICTURE = "picture.png"
MAX_LISTED = 20
FAILED_PAUSE_SECONDS = 300.0
NO_REVIEW_CHANNEL = (
    "\n⚠️ This server has no review channel yet, so nobody would see what waits: choose one with `/settings panel`."
)


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class Review(commands.GroupCog, group_name="review"):
    """Appeals, reports and approvals, as the moderators see them."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._closed_until: dict[int, float] = {}

    async def cog_load(self) -> None:
        self.bot.rounds.add(self.show_cards)
        self.bot.rounds.add(self.tell_members)

    # ---- commands --------------------------------------------------------------------------------------------------

    @app_commands.command(name="list")
    async def list_cases(self, interaction: Interaction) -> None:
        """Appeals, reports and pictures that wait for a decision"""
        guild_id = await require_moderator(interaction)
        cases = await appeals.fetch_open_cases(self.bot.service.database, guild_id)
        lines = [_line(case) for case in cases[:MAX_LISTED]]
        settings = await guild_settings.load(self.bot.service.database, guild_id)
        if settings.review_channel_id is None:
            lines.append("**No review channel is chosen yet**: `/settings` chooses one, and the cards appear there.")
        text = "\n".join(lines) or "Nothing is waiting for a decision."
        await interaction.response.send_message(
            embed=discord.Embed(title=plural(len(cases), "open case"), description=text), ephemeral=True
        )

    @app_commands.command()
    @app_commands.describe(channel="The channel", on="Whether pictures wait for a moderator's ✅ there")
    async def approval(self, interaction: Interaction, channel: discord.TextChannel, on: bool) -> None:
        """Show pictures in a channel only after a moderator's yes"""
        guild_id, service = await require_manager(interaction), self.bot.service
        actor_id, now = interaction.user.id, service.clock()
        async with service.database.transaction() as connection:
            await appeals.set_approval(connection, guild_id, channel.id, on, actor_id, now)
            await audit.record(
                connection, guild_id, actor_id, "review.approval", f"channel:{channel.id}", {"on": on}, now
            )
        words = "are shown only after a moderator's ✅ in the review channel" if on else "are shown at once again"
        settings = await guild_settings.load(service.database, guild_id)
        hint = NO_REVIEW_CHANNEL if on and settings.review_channel_id is None else ""
        await interaction.response.send_message(f"Pictures in <#{channel.id}> {words}.{hint}", ephemeral=True)

    @app_commands.command()
    async def allowed(self, interaction: Interaction) -> None:
        """Phrases that this server's moderators allowed after an appeal"""
        guild_id = await require_moderator(interaction)
        phrases = await allowances.fetch_phrases(self.bot.service.database, guild_id)
        lines = [
            f"• ||{inert(item.phrase, 100)}|| by <@{item.granted_by}>, {discord.utils.format_dt(item.granted_at, 'd')}"
            for item in phrases[:MAX_LISTED]
        ]
        await interaction.response.send_message(
            embed=discord.Embed(title="Allowed phrases", description="\n".join(lines) or "None."), ephemeral=True
        )

    @app_commands.command()
    @app_commands.describe(phrase="The phrase, as /review allowed shows it")
    async def revoke(self, interaction: Interaction, phrase: str) -> None:
        """Take an allowed phrase back"""
        guild_id, service = await require_moderator(interaction), self.bot.service
        actor_id, now = interaction.user.id, service.clock()
        async with service.database.transaction() as connection:
            if not await allowances.revoke(connection, guild_id, phrase, now):
                raise NotFound("This phrase is not on the list; `/review allowed` shows it.")
            await audit.record(connection, guild_id, actor_id, "review.revoke", "server", {}, now)
        await interaction.response.send_message("The phrase counts again from now on.", ephemeral=True)

    # ---- cards -----------------------------------------------------------------------------------------------------

    async def show_cards(self) -> None:
        """Post the cards that are missing and bring the others up to date."""
        for case in await appeals.fetch_unshown(self.bot.service.database):
            settings = await guild_settings.load(self.bot.service.database, case.guild_id)
            channel_id = case.card_channel_id or settings.review_channel_id
            if channel_id is not None and self._is_open(channel_id):
                await self._show_card(case, channel_id)

    def _is_open(self, channel_id: int) -> bool:
        return self._closed_until.get(channel_id, 0.0) <= self.bot.service.clock().timestamp()

    async def _show_card(self, case: Case, channel_id: int) -> None:
        file = await self._file(case)
        view, embed = case_buttons(case, file.grounds), case_card(file)
        files = await self._picture(file, channel_id) if case.status == "open" else []
        channel = self.bot.get_partial_messageable(channel_id)
        await self.bot.pace.take(channel_id)
        try:
            if case.card_message_id is None:
                message = await channel.send(
                    embed=embed, view=view, files=files, nonce=f"case-{case.id}", allowed_mentions=NOBODY
                )
            else:
                message = channel.get_partial_message(case.card_message_id)
                await message.edit(embed=embed, view=view, attachments=files, allowed_mentions=NOBODY)
        except discord.NotFound:
            log.info("case %d: its card was deleted", case.id)
            await self._mark_shown(case, None, None)
        except discord.Forbidden as error:
            log.warning("the review channel %d is closed to the bot: %s", channel_id, error)
            self._closed_until[channel_id] = self.bot.service.clock().timestamp() + FAILED_PAUSE_SECONDS
        else:
            await self._mark_shown(case, channel_id, message.id)

    async def _mark_shown(self, case: Case, channel_id: int | None, message_id: int | None) -> None:
        async with self.bot.service.database.transaction() as connection:
            await appeals.mark_shown(connection, case.id, case.status, channel_id, message_id)

    async def _file(self, case: Case) -> CaseFile:
        database = self.bot.service.database
        return CaseFile(
            case=case,
            history=await appeals.fetch_history(database, case.guild_id, case.user_id),
            grounds=await appeals.fetch_grounds(database, case.decision_id) if case.decision_id else None,
            job=await self.bot.service.job(case.job_id) if case.job_id else None,
            picture_scores=await self._picture_scores(case.job_id) if case.job_id else {},
        )

    async def _picture_scores(self, job_id: int) -> dict[str, float]:
        """What the picture check found, the worst over the job's pictures."""
        worst: dict[str, float] = {}
        for picture in await self.bot.service.pictures(job_id):
            for name, score in picture.safety.scores.items():
                worst[name] = max(score, worst.get(name, 0.0))
        return worst

    async def _picture(self, file: CaseFile, channel_id: int) -> list[discord.File]:
        """The reported or waiting pictures behind spoilers, if the review channel may hold them."""
        job, channel = file.job, self.bot.get_channel(channel_id)
        if job is None or file.case.kind == "appeal":
            return []
        is_adult = place_of(channel, file.case.guild_id, channel_id).age_restricted
        if job.place.level is SafetyLevel.ADULT and not is_adult:
            return []
        postings = await self.bot.service.postings(job.id, discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES)
        return [discord.File(io.BytesIO(posting.data), posting.filename, spoiler=True) for posting in postings]

    # ---- answers ---------------------------------------------------------------------------------------------------

    async def tell_members(self) -> None:
        """Tell everybody whose case is decided; a granted appeal is painted at once."""
        for case in await appeals.fetch_untold(self.bot.service.database):
            if case.kind == "appeal":
                await self._answer_appeal(case)
            elif case.kind == "report":
                await self._answer_report(case)
            else:  # the picture's own message tells
                await self._mark_told(case)

    async def _answer_appeal(self, case: Case) -> None:
        grounds = await appeals.fetch_grounds(self.bot.service.database, case.decision_id or 0)
        why = clause_words(grounds.clause) if grounds else ""
        if case.status in ("allowed_once", "allowed_here"):
            problem = await self._paint(case)
            text = "The moderators looked at your appeal and allowed your request. "
            text += problem or "It is being painted."
        elif case.status == "blocked":
            text = f"The moderators looked at your appeal. It stays refused, and you may not paint here now. {why}"
        else:
            text = f"The moderators looked at your appeal, and the refusal stands. {why}"
        await self._tell(case, case.user_id, text)
        await self._mark_told(case)

    async def _paint(self, case: Case) -> str | None:
        """Submit what was refused, once even if a crash repeats this round; why not, if it can't be accepted."""
        service = self.bot.service
        grounds = await appeals.fetch_grounds(service.database, case.decision_id or 0)
        kept = await appeals.fetch_refused(service.database, case.decision_id or 0)
        if grounds is not None and grounds.subject == "picture" and grounds.job_id is not None:
            job = await service.job(grounds.job_id)
            request, origin = replace(job.request, seed=secrets.randbelow(SEED_LIMIT)), _origin_of(job)
        elif kept is not None:
            request, origin = kept
        else:
            return "Please ask for it again."

        async def mark(connection: aiosqlite.Connection, job_id: int) -> None:
            await appeals.mark_told(connection, case.id, service.clock())

        try:
            await service.submit(request, replace(origin, source="appeal", message_id=None), also=mark)
        except UserError as error:
            return f"It can't be painted right now, so please ask for it again: {error}"
        self.bot.delivery.wake()
        return None

    async def _answer_report(self, case: Case) -> None:
        is_gone = case.status in ("removed", "blocked")
        outcome = "removed the picture" if is_gone else "decided that the picture can stay"
        await self._tell(case, case.opened_by, f"Thank you for your report. The moderators looked at it and {outcome}.")
        if is_gone and case.opened_by != case.user_id:
            await self._tell(case, case.user_id, "A moderator removed one of your pictures after a report.")
        await self._mark_told(case)

    async def _mark_told(self, case: Case) -> None:
        async with self.bot.service.database.transaction() as connection:
            await appeals.mark_told(connection, case.id, self.bot.service.clock())

    async def _tell(self, case: Case, user_id: int, text: str) -> None:
        """By direct message; in the channel, without the details, if those are closed."""
        nonce = f"told-{case.id}-{user_id % 10**6}"
        try:
            user = self.bot.get_user(user_id) or await self.bot.fetch_user(user_id)
            await user.send(text, nonce=nonce, allowed_mentions=NOBODY)
            return
        except (discord.Forbidden, discord.NotFound):
            log.info("case %d: user %d takes no direct messages", case.id, user_id)
        try:
            await self.bot.get_partial_messageable(case.channel_id).send(
                f"<@{user_id}> The moderators have decided about your {case.kind}.",
                nonce=nonce,
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(user_id)]),
            )
        except (discord.Forbidden, discord.NotFound):
            log.info("case %d: user %d can't be reached", case.id, user_id)

    # ---- approval mode ---------------------------------------------------------------------------------------------

    async def asks_for_approval(self, job: Job) -> bool:
        """Whether nothing of a picture, no preview either, may be seen in its channel before a moderator's yes."""
        if job.guild_id is None:
            return False
        channel = self.bot.get_channel(job.channel_id)
        parent_id = getattr(channel, "parent_id", None) or job.channel_id
        return await appeals.needs_approval(self.bot.service.database, (job.channel_id, parent_id))

    async def holds(self, job: Job) -> bool:
        """Whether a finished picture waits for a moderator; opens its case if its channel asks for one."""
        if job.status is not JobStatus.DONE or job.guild_id is None:
            return False
        database = self.bot.service.database
        case = await appeals.fetch_approval(database, job.id)
        if case is not None:
            return case.status == "open"
        if not await self.asks_for_approval(job):
            return False
        async with database.transaction() as connection:
            await appeals.open_case(
                connection,
                "approval",
                guild_id=job.guild_id,
                channel_id=job.channel_id,
                user_id=job.user_id,
                opened_by=job.user_id,
                now=self.bot.service.clock(),
                job_id=job.id,
            )
        self.bot.rounds.wake()
        return True


def _origin_of(job: Job) -> Origin:
    return Origin(
        user_id=job.user_id,
        place=job.place,
        parent_id=job.parent_id,
        filesize_limit=job.filesize_limit,
        source="appeal",
    )


def _line(case: Case) -> str:
    where = f"<#{case.channel_id}>"
    if case.card_channel_id and case.card_message_id:
        where = f"https://discord.com/channels/{case.guild_id}/{case.card_channel_id}/{case.card_message_id}"
    return f"• {case.kind} of <@{case.user_id}>, {discord.utils.format_dt(case.opened_at, 'R')}: {where}"
