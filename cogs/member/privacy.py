"""/privacy: what is stored of a member, as a download, and erased; and the round that forgets in time."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands
from discord.ext import commands

from cogs.core.errors import RowButton, View
from db import privacy
from domain import NotAllowed, NotFound

if TYPE_CHECKING:
    from cogs.core.bot import Bot

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

BLUE = 0x5B8DEF
# Forgetting is not urgent; once an hour is often enough for periods of days.
FORGET_EVERY = timedelta(hours=1)
# Room for the archive's own structure beside the pictures.
ARCHIVE_OVERHEAD = 64 * 1024
KEPT = (
    "What stays: blocks, strikes until they expire, and credits of the last day (without them, erasing would refill "
    "your allowance and lift moderators' decisions); later your name is taken out of those, too. Messages that are in "
    "Discord already stay there: delete your pictures with 🗑️ first if you want them gone as well."
)


class Privacy(commands.GroupCog, group_name="privacy"):
    """What is stored of you."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._forgot_at: datetime | None = None

    async def cog_load(self) -> None:
        self.bot.rounds.add(self.forget)

    @app_commands.command()
    async def show(self, interaction: Interaction) -> None:
        """What I have stored of you"""
        counts = await privacy.summarise(self.bot.service.database, interaction.user.id)
        lines = [f"• {count} {words}" for words, count in counts.items()]
        text = "\n".join(lines) or "Nothing."
        embed = discord.Embed(title="What I have stored of you", description=text, colour=BLUE)
        embed.add_field(
            name="What for",
            value="To paint what you ask for, to let moderators decide about appeals and reports, and to keep to the "
            "model's licence. `/privacy export` gives it to you, `/privacy delete` erases it.",
            inline=False,
        )
        await interaction.response.send_message(embed=embed, ephemeral=True)

    @app_commands.command()
    async def export(self, interaction: Interaction) -> None:
        """Everything I have stored of you, as files"""
        await interaction.response.defer(ephemeral=True, thinking=True)
        database, user_id = self.bot.service.database, interaction.user.id
        rows = await privacy.export(database, user_id)
        parts = split_pictures(await privacy.list_pictures(database, user_id), interaction.filesize_limit)
        for number, pictures in enumerate(parts, start=1):
            files = {
                f"{job_id}-{position}.png": await privacy.fetch_picture(database, job_id, position) or b""
                for job_id, position in pictures
            }
            if number == 1:
                files["stored.json"] = json.dumps(rows, ensure_ascii=False, indent=2).encode()
            data = await asyncio.to_thread(archive, files)
            name = f"stored-{number}-of-{len(parts)}.zip"
            words = "What I have stored of you: `stored.json` and your pictures." if number == 1 else ""
            await interaction.followup.send(words, file=discord.File(io.BytesIO(data), name), ephemeral=True)

    @app_commands.command()
    async def delete(self, interaction: Interaction) -> None:
        """Erase what I have stored of you"""
        view = View()
        view.add_item(EraseButton(interaction.user.id))
        await interaction.response.send_message(
            "This erases your pictures, prompts, agreements, appeals, entries and votes for good, in every server. "
            f"It can't be undone.\n{KEPT}",
            view=view,
            ephemeral=True,
        )

    # ---- forgetting in time ----------------------------------------------------------------------------------------

    async def forget(self) -> None:
        """Servers' retention, the bot's own periods, and servers that removed the bot long ago."""
        now = self.bot.service.clock()
        if self._forgot_at is not None and now - self._forgot_at < FORGET_EVERY:
            return
        async with self.bot.service.database.transaction() as connection:
            changed = await privacy.forget_old(connection, now)
            guild_ids = await privacy.erase_departed(connection, now)
        # The first time also for an erasure after which the process ended before it could do this.
        if changed or guild_ids or self._forgot_at is None:
            await self.bot.service.database.scrub()
            log.info("retention: %d rows changed, %d left servers erased", changed, len(guild_ids))
        self._forgot_at = now

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        async with self.bot.service.database.transaction() as connection:
            await privacy.note_departure(connection, guild.id, self.bot.service.clock())

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        async with self.bot.service.database.transaction() as connection:
            await privacy.note_return(connection, guild.id)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Notice servers that removed the bot, or took it back, while it was not running."""
        here = {guild.id for guild in self.bot.guilds}
        stored = await privacy.fetch_guild_ids(self.bot.service.database)
        async with self.bot.service.database.transaction() as connection:
            for guild_id in stored - here:
                await privacy.note_departure(connection, guild_id, self.bot.service.clock())
            for guild_id in here:
                await privacy.note_return(connection, guild_id)


class EraseButton(RowButton, template=r"privacy:erase:(?P<row_id>[0-9]+)"):
    """Erase, after one more look; the row is the member."""

    prefix, label, style = "privacy:erase", "Erase everything", discord.ButtonStyle.danger

    async def act(self, interaction: Interaction) -> None:
        if interaction.user.id != self.row_id:
            raise NotAllowed("You can erase only what is stored of yourself.")
        await interaction.response.defer(ephemeral=True)
        await erase_member(cast("Bot", interaction.client), interaction.user.id)
        await interaction.edit_original_response(content=f"Erased.\n{KEPT}", view=None)


async def erase_member(bot: Bot, user_id: int) -> None:
    """Cancel what is open, erase the rows, empty the log that still holds them."""
    service = bot.service
    for job in await service.open_jobs(user_id):
        try:
            await service.cancel(job.id, user_id)
        except NotFound:
            log.info("job %d was finished just now", job.id)
        await bot.board.close(job.id)
    async with service.database.transaction() as connection:
        await privacy.erase_member(connection, user_id, service.clock())
    await service.database.scrub()


def split_pictures(pictures: Sequence[tuple[int, int, int]], limit_bytes: int) -> list[list[tuple[int, int]]]:
    """(job, position, bytes) of pictures in as few parts as fit into files of `limit_bytes`; at least one part.

    A picture larger than the limit is left out.
    """
    parts: list[list[tuple[int, int]]] = [[]]
    room = limit_bytes - ARCHIVE_OVERHEAD
    left = room
    for job_id, position, size in pictures:
        if size > room:
            continue
        if size > left:
            parts.append([])
            left = room
        parts[-1].append((job_id, position))
        left -= size + 256
    return parts


def archive(files: dict[str, bytes]) -> bytes:
    """The files in a zip archive; pictures are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, data in files.items():
            kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            zipped.writestr(name, data, compress_type=kind)
    return buffer.getvalue()


BUTTONS: tuple[type[RowButton], ...] = (EraseButton,)
