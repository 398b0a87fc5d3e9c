"""/owner: what only the person who runs the bot may do, for all servers."""

from __future__ import annotations

import io
import logging

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.core.answers import LOST
from cogs.core.bot import GroupCog, Interaction
from cogs.core.channels import post_in_system_channel
from cogs.core.checks import require_owner
from cogs.core.text import NOBODY, inert, plural
from cogs.moderation.audit import rows_to_read, show_rows
from cogs.moderation.quota_cards import rule_line
from domain import InvalidRequest
from domain.durations import parse_optional_duration
from domain.health import Problem
from domain.places import EVERYWHERE
from domain.queue import QueueState
from domain.quotas import QuotaKind, QuotaLimits, QuotaSubject, to_millicredits
from service import Topic

log = logging.getLogger(__name__)

WHOLE_SERVER = QuotaSubject(QuotaKind.SERVER)
STATES = {
    QueueState.OPEN: "The queue is open.",
    QueueState.PAUSED: "Painting is paused: requests are accepted and wait.",
    QueueState.DRAINING: "Draining: nothing new is accepted, what waits is still painted.",
}


@app_commands.default_permissions(administrator=True)
class Owner(GroupCog, group_name="owner"):
    """For the person who runs this bot"""

    async def cog_load(self) -> None:
        self.bot.background.add(self.tell_drained, Topic.QUEUE, Topic.JOBS)

    # ---- blocks ----------------------------------------------------------------------------------------------------

    @app_commands.command(name="block-user")
    @app_commands.describe(user="Who may not paint anywhere", reason="Why; they read it", expires="12h, 7d, 2w")
    async def block_user(
        self,
        interaction: Interaction,
        user: discord.User,
        reason: Range[str, 1, 200],
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Keep a person from painting anywhere"""
        owner_id = await require_owner(interaction)
        result = await self.bot.service.blocks.block_member(
            EVERYWHERE, user.id, owner_id, reason=reason, expires_in=parse_optional_duration(expires)
        )
        waiting = plural(result.cancelled, "waiting picture")
        await self._answer(interaction, f"<@{user.id}> is blocked everywhere; {waiting} cancelled.")

    @app_commands.command(name="unblock-user")
    @app_commands.describe(user="Who may paint again")
    async def unblock_user(self, interaction: Interaction, user: discord.User) -> None:
        """Lift a block that holds everywhere"""
        owner_id = await require_owner(interaction)
        await self.bot.service.blocks.unblock_member(EVERYWHERE, user.id, owner_id)
        await self._answer(interaction, f"<@{user.id}> is not blocked everywhere any more.")

    @app_commands.command(name="block-server")
    @app_commands.describe(server_id="The server's id", reason="Why; its members read it", expires="12h, 7d, 2w")
    async def block_server(
        self,
        interaction: Interaction,
        server_id: Range[str, 1, 20],
        reason: Range[str, 1, 200],
        expires: Range[str, 1, 20] | None = None,
    ) -> None:
        """Keep a whole server from painting"""
        owner_id = await require_owner(interaction)
        guild_id = _snowflake(server_id)
        result = await self.bot.service.blocks.block_server(
            guild_id, owner_id, reason=reason, expires_in=parse_optional_duration(expires)
        )
        waiting = plural(result.cancelled, "waiting picture")
        await self._answer(interaction, f"Server {guild_id} is blocked; {waiting} cancelled.")

    @app_commands.command(name="unblock-server")
    @app_commands.describe(server_id="The server's id")
    async def unblock_server(self, interaction: Interaction, server_id: Range[str, 1, 20]) -> None:
        """Lift the block of a server"""
        owner_id = await require_owner(interaction)
        guild_id = _snowflake(server_id)
        await self.bot.service.blocks.unblock_server(guild_id, owner_id)
        await self._answer(interaction, f"Server {guild_id} is not blocked any more.")

    # ---- the queue -------------------------------------------------------------------------------------------------

    @app_commands.command()
    async def pause(self, interaction: Interaction) -> None:
        """Start no new pictures; requests are accepted and wait"""
        await self._set_state(interaction, QueueState.PAUSED)

    @app_commands.command()
    async def resume(self, interaction: Interaction) -> None:
        """Open the queue again after a pause or for maintenance"""
        await self._set_state(interaction, QueueState.OPEN)

    @app_commands.command()
    async def drain(self, interaction: Interaction) -> None:
        """Accept nothing new, paint what waits, and tell you when it is done"""
        await self._set_state(interaction, QueueState.DRAINING)

    async def _set_state(self, interaction: Interaction, state: QueueState) -> None:
        owner_id = await require_owner(interaction)
        await self.bot.service.queue.set_state(state, owner_id)
        await self._answer(interaction, f"{STATES[state]} {await self._counts()}")

    @app_commands.command()
    async def status(self, interaction: Interaction) -> None:
        """What the queue is doing, over all servers"""
        await require_owner(interaction)
        state = await self.bot.service.queue.fetch_state()
        lines = [f"{STATES[state]} {await self._counts()}", *map(_problem_line, self.bot.service.health.problems)]
        await self._answer(interaction, "\n".join(lines)[:2000])

    async def _counts(self) -> str:
        report, left = self.bot.service.queue.report(), len(await self.bot.service.jobs.fetch_open_ids())
        return (
            f"{plural(left, 'picture')} in work ({report.running} being painted) for "
            f"{plural(len(self.bot.guilds), 'server')}."
        )

    async def tell_drained(self) -> None:
        """Once everything is painted, tell the owner who asked for it, also after a restart."""
        owner_id = await self.bot.service.owner.find_who_waits_for_drain()
        if owner_id is None:
            return
        # Who takes no direct messages reads it in /owner status; asking again would change nothing.
        await self.bot.send_privately(
            owner_id, "The queue is empty: everything is painted and delivered. You can stop the bot now."
        )
        await self.bot.service.owner.note_drain_told()

    @app_commands.command(name="audit")
    @app_commands.describe(days="Only the last days", as_file="All of it as a CSV file")
    async def show_audit(
        self, interaction: Interaction, days: Range[int, 1, 3650] | None = None, as_file: bool = False
    ) -> None:
        """What you decided for all servers; each server's own decisions are in its /audit"""
        await require_owner(interaction)
        rows = await self.bot.service.audit.search(EVERYWHERE, days=days, limit=rows_to_read(as_file=as_file))
        await show_rows(interaction, rows, as_file=as_file)

    @app_commands.command(name="policy-feedback")
    @app_commands.describe(days="Only the last days")
    async def export_feedback(self, interaction: Interaction, days: Range[int, 1, 3650] | None = None) -> None:
        """What moderators decided on refused prompts, as a file that the policy can be measured with"""
        owner_id = await require_owner(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        made = await self.bot.service.feedback.export(owner_id, interaction.filesize_limit, days)
        if not made.corrections:
            await interaction.followup.send(
                "No moderator has decided on an appeal of a refused prompt.", ephemeral=True
            )
            return
        cut = " Older ones did not fit into the largest file I may send here." if made.is_cut else ""
        await interaction.followup.send(
            f"{plural(made.corrections, 'decision')} on refused prompts, {made.worded} with the words (the others' are "
            f"not kept any more), without names and servers.{cut} "
            "`python scripts/measure_policy.py --feedback policy-feedback.jsonl` judges them by today's rules.",
            file=discord.File(io.BytesIO(made.data), "policy-feedback.jsonl"),
            ephemeral=True,
        )

    @app_commands.command()
    async def backup(self, interaction: Interaction) -> None:
        """Write a copy of everything that is stored, beside the database"""
        owner_id = await require_owner(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        made = await self.bot.service.backups.make(owner_id)
        await interaction.followup.send(
            f"Backup written: `{made.path}` ({made.bytes / 1e6:.1f} MB). Copy it, and the folder of its name beside "
            "it, to another machine; `python bot.py --restore FILE` brings both back (docs/running.md says how).",
            ephemeral=True,
        )

    # ---- servers ---------------------------------------------------------------------------------------------------

    @app_commands.command()
    @app_commands.describe(
        server_id="The server's id",
        per_hour="Credits for all its members together within any hour",
        per_day="Credits for all its members together within any 24 hours",
        jobs="Pictures waiting or being painted at once",
        weight="Its share of the worker compared with other servers",
        expires="When this ends: 12h, 7d, 2w; empty: never",
        remove="Take the budget away, so that only the bot's own limits hold",
    )
    async def budget(
        self,
        interaction: Interaction,
        server_id: Range[str, 1, 20],
        per_hour: Range[float, 0.0, 10_000_000.0] | None = None,
        per_day: Range[float, 0.0, 10_000_000.0] | None = None,
        jobs: Range[int, 0, 100_000] | None = None,
        weight: Range[float, 0.1, 10.0] | None = None,
        reason: Range[str, 1, 200] = "no reason given",
        expires: Range[str, 1, 20] | None = None,
        remove: bool = False,
    ) -> None:
        """What a server may spend as a whole, and its share of the worker"""
        owner_id, guild_id = await require_owner(interaction), _snowflake(server_id)
        if remove:
            await self._remove_budget(interaction, guild_id, owner_id)
            return
        limits = QuotaLimits(
            per_hour=to_millicredits(per_hour), per_day=to_millicredits(per_day), max_jobs=jobs, weight=weight
        )
        rule = await self.bot.service.quotas.set_rule(
            guild_id, WHOLE_SERVER, limits, owner_id, reason=reason, expires_in=parse_optional_duration(expires)
        )
        await self._answer(interaction, f"Set for server {guild_id}. {rule_line(rule)}")

    async def _remove_budget(self, interaction: Interaction, guild_id: int, owner_id: int) -> None:
        if not await self.bot.service.quotas.remove_rule(guild_id, WHOLE_SERVER, owner_id):
            raise InvalidRequest(f"Server {guild_id} has no budget.")
        await self._answer(interaction, f"Server {guild_id} has no budget of its own any more.")

    @app_commands.command()
    @app_commands.describe(text="What to say in every server")
    async def announce(self, interaction: Interaction, text: Range[str, 1, 1500]) -> None:
        """Say something in every server that has a place for it"""
        owner_id = await require_owner(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        reached = [guild.id for guild in self.bot.guilds if await self._announce_in(guild, text)]
        await self.bot.service.owner.note_announcement(owner_id, text, len(reached))
        await interaction.followup.send(
            f"Said in {len(reached)} of {plural(len(self.bot.guilds), 'server')}; the others have no channel for "
            "system messages that I may write to.",
            ephemeral=True,
        )

    async def _announce_in(self, guild: discord.Guild, text: str) -> bool:
        embed = discord.Embed(title="A message from the person who runs this bot", description=text)
        try:
            return await post_in_system_channel(self.bot, guild, embed=embed)
        except LOST as error:  # the other servers shall hear of it all the same
            log.warning("the announcement did not reach server %d: %s", guild.id, error)
            return False

    async def _answer(self, interaction: Interaction, text: str) -> None:
        await interaction.response.send_message(text, ephemeral=True, allowed_mentions=NOBODY)


def _problem_line(problem: Problem) -> str:
    """What does not work now, since when, and where the log says more."""
    since = discord.utils.format_dt(problem.since, "R")
    times = plural(problem.times, "time")
    return f"⚠️ {inert(problem.name, 100)}: {inert(problem.error, 150)} ({times}, first {since}, `{problem.reference}`)"


def _snowflake(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**63):
        raise InvalidRequest(f"“{inert(text, 30)}” is no server id. Switch on Discord's developer mode to copy one.")
    return int(text)
