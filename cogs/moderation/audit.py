"""/audit and the audit channel: who decided what, for people and as a file."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from cogs.core.bot import Cog, Interaction
from cogs.core.checks import matching, require_moderator
from cogs.core.colours import BLUE
from cogs.core.text import NOBODY, inert
from domain.audit import AuditBacklog, AuditRow
from domain.quotas import credits_in_words
from service import Topic
from service.audit import MAX_ROWS

log = logging.getLogger(__name__)

MAX_SHOWN = 15
ROWS_PER_POST = 10
CREDIT_KEYS = frozenset({"per_hour", "per_day", "millicredits"})
ACTIONS = (
    "quota", "block", "strike", "settings", "appeal", "report", "case", "review", "job", "channel", "challenge",
    "starboard",
)  # fmt: skip


class Audit(Cog):
    """Shows what moderators, the owner and the bot itself decided."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.post, Topic.AUDIT)

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(moderate_members=True)
    @app_commands.describe(
        actor="Only what this person did",
        member="Only what was done to this member",
        action="Only this kind of act, for example quota or block.add",
        days="Only the last days",
        as_file="All of it as a CSV file",
    )
    async def audit(
        self,
        interaction: Interaction,
        actor: discord.User | None = None,
        member: discord.User | None = None,
        action: Range[str, 1, 50] | None = None,
        days: Range[int, 1, 3650] | None = None,
        as_file: bool = False,
    ) -> None:
        """Who decided what in this server"""
        guild_id = await require_moderator(interaction)
        rows = await self.bot.service.audit.search(
            guild_id,
            actor_id=actor.id if actor else None,
            member_id=member.id if member else None,
            action=action,
            days=days,
            limit=rows_to_read(as_file=as_file),
        )
        await show_rows(interaction, rows, as_file=as_file)

    @audit.autocomplete("action")
    async def suggest_action(self, _: Interaction, current: str) -> list[Choice[str]]:
        return matching(ACTIONS, current)

    # ---- the audit channel -----------------------------------------------------------------------------------------

    async def post(self) -> None:
        """Bring every audit channel up to date; what could not be posted is tried again in the next round."""
        for backlog in await self.bot.service.audit.fetch_backlogs():
            await self._post_in_guild(backlog)

    async def _post_in_guild(self, backlog: AuditBacklog) -> None:
        channel = self.bot.get_partial_messageable(backlog.channel_id)
        for start in range(0, len(backlog.rows), ROWS_PER_POST):
            part = backlog.rows[start : start + ROWS_PER_POST]
            embed = discord.Embed(description="\n".join(audit_line(row) for row in part), colour=BLUE)
            await self.bot.rate_limit.take(backlog.channel_id)
            try:
                # The nonce keeps a post from appearing twice when its answer was lost.
                await channel.send(embed=embed, nonce=f"audit-{part[-1].id}", allowed_mentions=NOBODY)
            except discord.HTTPException as error:
                # Gone, closed to us, or Discord is down: the rows wait for the next round or another channel.
                log.info("audit rows of server %d could not be posted: %s", backlog.guild_id, error)
                return
            await self.bot.service.audit.mark_posted(backlog.guild_id, part[-1].id)


def rows_to_read(*, as_file: bool) -> int:
    """No more than is shown, and one that says whether there are more."""
    return MAX_ROWS if as_file else MAX_SHOWN + 1


async def show_rows(interaction: Interaction, rows: Sequence[AuditRow], *, as_file: bool) -> None:
    """The newest rows, to this person alone, and all of them as a file if they want one."""
    embed = discord.Embed(title="Audit log", colour=BLUE)
    embed.description = "\n".join(audit_line(row) for row in rows[:MAX_SHOWN])[:4000] or "Nothing that matches."
    if len(rows) > MAX_SHOWN:
        embed.set_footer(text=f"The newest {MAX_SHOWN}; as_file gives all of them.")
    files = [discord.File(io.BytesIO(to_csv(rows)), "audit.csv")] if as_file else []
    await interaction.response.send_message(embed=embed, files=files, ephemeral=True, allowed_mentions=NOBODY)


def audit_line(row: AuditRow) -> str:
    """One row in one line, at most some 300 characters."""
    who = f"<@{row.actor_id}>" if row.actor_id else "the bot"
    what = ", ".join(_detail(key, value) for key, value in row.details.items() if value not in (None, ""))
    line = f"<t:{int(row.created_at.timestamp())}:f> {who} **{row.action}** {_target(row.target)}"
    return f"{line}: {what}"[:390] if what else line


def _target(target: str | None) -> str:
    kind, _, number = (target or "somebody").partition(":")
    mentions = {
        "member": f"<@{number}>",
        "role": f"<@&{number}>",
        "channel": f"<#{number}>",
        "job": f"picture {number}",
    }
    return mentions.get(kind, target or "somebody")


def _detail(key: str, value: Any) -> str:
    name = key.replace("_", " ")
    if key in CREDIT_KEYS and isinstance(value, int):
        return f"{'amount' if key == 'millicredits' else name} {credits_in_words(value)}"
    if key.endswith("_at") and isinstance(value, int | float):
        return f"{name.removesuffix(' at')} <t:{int(value)}:f>"
    if key.endswith("channel_id"):
        return f"{name.removesuffix(' id')} <#{value}>"
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value) or "none"
    return f"{name} {inert(str(value), 120)}"


def to_csv(rows: Iterable[AuditRow]) -> bytes:
    """UTF-8 with a byte order mark, so that spreadsheets read it; no cell can start a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("id", "time_utc", "actor_id", "action", "target", "details"))
    for row in rows:
        writer.writerow(
            (row.id, _moment(row.created_at), row.actor_id or "", row.action, row.target or "", _json(row.details))
        )
    return text.getvalue().encode("utf-8-sig")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _json(details: Mapping[str, Any]) -> str:
    # Always begins with a brace, so a reason like "=1+1" stays text.
    return json.dumps(dict(details), ensure_ascii=False)
