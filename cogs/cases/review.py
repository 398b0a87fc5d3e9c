"""The moderators' side: cards in the review channel, answers to members, approval mode, and /review.

Both the cards and the answers follow from rows: a round shows every case whose card is out of date and tells every
member who has not been told, so a crash in between only delays them.
"""

from __future__ import annotations

import io
import logging

import discord
from discord import app_commands

from cogs.cases.decide import case_buttons
from cogs.cases.embeds import case_card
from cogs.core.answers import Meaning, meaning_of
from cogs.core.bot import Bot, Cog, GroupCog, Interaction
from cogs.core.channels import is_age_restricted
from cogs.core.checks import require_manager, require_moderator
from cogs.core.text import NOBODY, inert, plural
from domain import SafetyLevel
from domain.cases import AppealAnswer, Case, CaseFile, CaseKind, CaseStatus
from service import Topic

log = logging.getLogger(__name__)

MAX_LISTED = 20
FAILED_PAUSE_SECONDS = 300.0
NO_REVIEW_CHANNEL = (
    "\n⚠️ This server has no review channel yet, so nobody would see what waits: choose one with `/settings panel`."
)


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class Review(GroupCog, group_name="review"):
    """Appeals, reports and approvals, as the moderators see them."""

    def __init__(self, bot: Bot) -> None:
        super().__init__(bot)
        self._closed_until: dict[tuple[str, int], float] = {}  # channels, and cases that Discord does not take

    async def cog_load(self) -> None:
        self.bot.background.add(self.show_cards, Topic.CASES, Topic.SETTINGS)
        self.bot.background.add(self.tell_members, Topic.CASE_DECISIONS)

    # ---- commands --------------------------------------------------------------------------------------------------

    @app_commands.command(name="list")
    async def list_cases(self, interaction: Interaction) -> None:
        """Appeals, reports and pictures that wait for a decision"""
        guild_id = await require_moderator(interaction)
        waiting = await self.bot.service.cases.fetch_open(guild_id)
        lines = [_line(case) for case in waiting.cases[:MAX_LISTED]]
        if not waiting.has_review_channel:
            lines.append("**No review channel is chosen yet**: `/settings` chooses one, and the cards appear there.")
        text = "\n".join(lines) or "Nothing is waiting for a decision."
        await interaction.response.send_message(
            embed=discord.Embed(title=plural(len(waiting.cases), "open case"), description=text), ephemeral=True
        )

    @app_commands.command()
    @app_commands.describe(channel="The channel", on="Whether pictures wait for a moderator's ✅ there")
    async def approval(self, interaction: Interaction, channel: discord.TextChannel, on: bool) -> None:
        """Show pictures in a channel only after a moderator's yes"""
        guild_id = await require_manager(interaction)
        has_review_channel = await self.bot.service.cases.set_approval(guild_id, channel.id, on, interaction.user.id)
        words = "are shown only after a moderator's ✅ in the review channel" if on else "are shown at once again"
        hint = NO_REVIEW_CHANNEL if on and not has_review_channel else ""
        await interaction.response.send_message(f"Pictures in <#{channel.id}> {words}.{hint}", ephemeral=True)

    @app_commands.command()
    async def allowed(self, interaction: Interaction) -> None:
        """Phrases that this server's moderators allowed after an appeal"""
        guild_id = await require_moderator(interaction)
        phrases = await self.bot.service.cases.fetch_phrases(guild_id)
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
        guild_id = await require_moderator(interaction)
        await self.bot.service.cases.revoke_phrase(guild_id, phrase, interaction.user.id)
        await interaction.response.send_message("The phrase counts again from now on.", ephemeral=True)

    # ---- cards -----------------------------------------------------------------------------------------------------

    async def show_cards(self) -> None:
        """Post the cards that are missing and bring the others up to date."""
        for case, channel_id in await self.bot.service.cases.fetch_unshown():
            if self._may_be_tried(case, channel_id):
                await self._show_card(case, channel_id)

    @Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self.bot.service.cases.show_elsewhere(channel.guild.id, channel.id)

    @Cog.listener()
    async def on_ready(self) -> None:
        """Channels that were deleted while nobody told us. A server that can't be reached is not asked."""
        cases = self.bot.service.cases
        guilds = {guild.id: guild for guild in self.bot.guilds if not guild.unavailable}
        for guild_id, channel_id in await cases.fetch_card_channels([*guilds]):
            if guilds[guild_id].get_channel_or_thread(channel_id) is None and await self._is_gone(channel_id):
                await cases.show_elsewhere(guild_id, channel_id)

    async def _is_gone(self, channel_id: int) -> bool:
        """Whether Discord itself says so: an archived thread is not in the cache either."""
        try:
            await self.bot.fetch_channel(channel_id)
        except discord.NotFound:
            return True
        except discord.HTTPException as error:
            log.info("the review channel %d can't be looked at: %s", channel_id, error)
        return False

    def _may_be_tried(self, case: Case, channel_id: int) -> bool:
        now = self.bot.service.now().timestamp()
        return all(self._closed_until.get(key, 0.0) <= now for key in (("channel", channel_id), ("case", case.id)))

    async def _show_card(self, case: Case, channel_id: int) -> None:
        cases = self.bot.service.cases
        file = await cases.fetch_file(case)
        view, embed = case_buttons(file), case_card(file)
        files = await self._pictures(file, channel_id) if case.is_open else []
        channel = self.bot.get_partial_messageable(channel_id)
        await self.bot.rate_limit.take(channel_id)
        try:
            if case.card_message_id is None:
                message = await channel.send(
                    embed=embed, view=view, files=files, nonce=f"case-{case.id}", allowed_mentions=NOBODY
                )
            else:
                message = channel.get_partial_message(case.card_message_id)
                await message.edit(embed=embed, view=view, attachments=files, allowed_mentions=NOBODY)
        except discord.HTTPException as error:
            await self._after_refusal(case, channel_id, error)
        else:
            await cases.mark_shown(case, channel_id, message.id)

    async def _after_refusal(self, case: Case, channel_id: int, error: discord.HTTPException) -> None:
        """A card that is gone is let go. A case without one waits: for this channel to open, or for another one."""
        meaning = meaning_of(error)
        if meaning is Meaning.PASSING:
            raise error
        if case.card_message_id is not None and isinstance(error, discord.NotFound):
            log.info("case %d: its card was deleted", case.id)
            await self.bot.service.cases.mark_shown(case, None, None)
            return
        log.warning("case %d can't be shown in the review channel %d: %s", case.id, channel_id, error)
        # One card that is refused for itself must not keep the channel's other cases waiting.
        key = ("channel", channel_id) if meaning is Meaning.ELSEWHERE else ("case", case.id)
        self._closed_until[key] = self.bot.service.now().timestamp() + FAILED_PAUSE_SECONDS

    async def _pictures(self, file: CaseFile, channel_id: int) -> list[discord.File]:
        """The reported or waiting pictures behind spoilers, if the review channel may hold them."""
        job = file.job
        if job is None or file.case.kind is CaseKind.APPEAL:
            return []
        if job.place.level is SafetyLevel.ADULT and not is_age_restricted(self.bot.get_channel(channel_id)):
            return []
        service, limit = self.bot.service, discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        uploads = await service.deliveries.make_uploads(job.id, await service.jobs.fetch_pictures(job.id), limit)
        return [discord.File(io.BytesIO(upload.data), upload.filename, spoiler=True) for upload in uploads]

    # ---- answers ---------------------------------------------------------------------------------------------------

    async def tell_members(self) -> None:
        """Tell everybody whose case is decided; a granted appeal is painted at once."""
        answers = self.bot.service.cases.answers
        for case in await answers.fetch_untold():
            if case.kind is CaseKind.APPEAL:
                await self._tell(case, case.user_id, _appeal_in_words(case, await answers.answer_appeal(case)))
            elif case.kind is CaseKind.REPORT:
                await self._answer_report(case)
            # An approval needs no letter: the picture's own message tells.
            await answers.mark_told(case)

    async def _answer_report(self, case: Case) -> None:
        is_gone = case.status in (CaseStatus.REMOVED, CaseStatus.BLOCKED)
        outcome = "removed the picture" if is_gone else "decided that the picture can stay"
        await self._tell(case, case.opened_by, f"Thank you for your report. The moderators looked at it and {outcome}.")
        if is_gone and case.opened_by != case.user_id:
            await self._tell(case, case.user_id, "A moderator removed one of your pictures after a report.")

    async def _tell(self, case: Case, user_id: int, text: str) -> None:
        """By direct message; in the channel, without the details, if those are closed."""
        nonce = f"told-{case.id}-{user_id % 10**6}"
        if await self.bot.send_privately(user_id, text, nonce=nonce):
            return
        await self.bot.post(
            case.channel_id,
            f"<@{user_id}> The moderators have decided about your {case.kind}.",
            nonce=nonce,
            allowed_mentions=discord.AllowedMentions(users=[discord.Object(user_id)]),
        )


def _appeal_in_words(case: Case, answer: AppealAnswer) -> str:
    if case.status.is_granted:
        intro = "The moderators looked at your appeal and allowed your request."
        return f"{intro} {answer.problem or 'It is being painted.'}"
    if case.status is CaseStatus.BLOCKED:
        intro = "The moderators looked at your appeal. It stays refused, and you may not paint here now."
    else:
        intro = "The moderators looked at your appeal, and the refusal stands."
    return f"{intro} {answer.clause_words}"


def _line(case: Case) -> str:
    where = f"<#{case.channel_id}>"
    if case.card_channel_id and case.card_message_id:
        where = f"https://discord.com/channels/{case.guild_id}/{case.card_channel_id}/{case.card_message_id}"
    return f"• {case.kind} of <@{case.user_id}>, {discord.utils.format_dt(case.opened_at, 'R')}: {where}"
