"""/challenge: moderators start and end challenges; what is due is announced and posted from rows.

A challenge ends because its row says so; a post that a crash kept back is made up for by the next look at the rows.
"""

from __future__ import annotations

import io
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.community.challenge_buttons import EnterButton, VoteButton, WithdrawButton, enter
from cogs.community.challenge_cards import announcement_card, entry_card, results_card
from cogs.core.bot import GroupCog, Interaction
from cogs.core.channels import require_posting
from cogs.core.checks import require_moderator
from cogs.core.errors import row_of
from cogs.core.i18n import translation_for
from domain.challenges import MAX_DURATION, Challenge, ChallengeEntry
from domain.durations import parse_duration, parse_optional_duration
from service import Topic

MENU = "Enter in challenge"
# Further winners are named on the card without being pinged.
MAX_MENTIONED = 20


@app_commands.guild_only()
@app_commands.default_permissions(moderate_members=True)
class Challenges(GroupCog, group_name="challenge"):
    """Moderators start and end challenges; everybody enters and votes with buttons."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.end_due)
        for post in (self.post_announcements, self.post_entries, self.post_results):
            self.bot.background.add(post, Topic.CHALLENGES)

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
        guild_id = await require_moderator(interaction)
        length = parse_duration(ends, longest=MAX_DURATION)
        repeat = parse_optional_duration(every, longest=MAX_DURATION)
        place = channel or interaction.channel
        require_posting(place)
        place_id = place.id if place else 0
        challenge_id = await self.bot.service.challenges.start(
            guild_id, place_id, interaction.user.id, theme, length, repeat
        )
        await interaction.response.send_message(f"Challenge {challenge_id} starts in <#{place_id}>.", ephemeral=True)

    @app_commands.command()
    @app_commands.describe(challenge="Its number", winners="Whether the votes so far decide; otherwise nobody wins")
    async def end(self, interaction: Interaction, challenge: int, winners: bool = True) -> None:
        """End a challenge now, for good"""
        guild_id = await require_moderator(interaction)
        await self.bot.service.challenges.end(guild_id, challenge, interaction.user.id, with_winners=winners)
        await interaction.response.send_message(f"Challenge {challenge} is over.", ephemeral=True)

    @app_commands.guild_only()
    async def enter_message(self, interaction: Interaction, message: discord.Message) -> None:
        """Enter the picture of a message in the running challenge"""
        challenge, job = await self.bot.service.challenges.find_for_message(interaction.guild_id or 0, message.id)
        await enter(interaction, challenge, job)

    # ---- background tasks ------------------------------------------------------------------------------------------

    async def end_due(self) -> None:
        """Close what is over."""
        await self.bot.service.challenges.end_due()

    async def post_announcements(self) -> None:
        service = self.bot.service.challenges
        for challenge in await service.fetch_unannounced():
            words = await translation_for(self.bot, challenge.guild_id)
            message_id = await self._post(
                challenge,
                f"challenge-{challenge.id}",
                embed=announcement_card(challenge, words),
                view=row_of(EnterButton(challenge.id), WithdrawButton(challenge.id), words=words),
            )
            await service.mark_announced(challenge.id, message_id)

    async def post_entries(self) -> None:
        service = self.bot.service.challenges
        for challenge, entry in await service.fetch_unposted_entries():
            await service.mark_posted(entry.id, await self._post_entry(challenge, entry))

    async def _post_entry(self, challenge: Challenge, entry: ChallengeEntry) -> int:
        limit = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        upload = await self.bot.service.deliveries.make_first_upload(entry.job_id, limit)
        if upload is None:
            return 0  # erased meanwhile
        filename = f"entry-{entry.number}{upload.filename[upload.filename.rindex('.') :]}"
        words = await translation_for(self.bot, challenge.guild_id)
        return await self._post(
            challenge,
            f"entry-{entry.id}",
            embed=entry_card(challenge, entry, filename, words),
            view=row_of(VoteButton(entry.id), words=words),
            file=discord.File(io.BytesIO(upload.data), filename, description="An AI-generated picture"),
        )

    async def post_results(self) -> None:
        service = self.bot.service.challenges
        for challenge, entries in await service.fetch_unreported():
            winners = [discord.Object(entry.user_id) for entry in entries if entry.is_winner][:MAX_MENTIONED]
            message_id = await self._post(
                challenge,
                f"results-{challenge.id}",
                content=" ".join(f"<@{winner.id}>" for winner in winners) or None,
                embed=results_card(challenge, entries, await translation_for(self.bot, challenge.guild_id)),
                allowed_mentions=discord.AllowedMentions(users=winners),
            )
            await service.mark_reported(challenge.id, message_id)

    async def _post(self, challenge: Challenge, nonce: str, **message: Any) -> int:
        """The posted message's id, or 0 if Discord will never take it (then nothing is tried again)."""
        return await self.bot.post(challenge.channel_id, nonce=nonce, **message) or 0
