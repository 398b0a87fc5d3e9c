"""/privacy: what is stored of a member, as a download, and erased; and the task that forgets in time."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile

import discord
from discord import app_commands

from cogs.core.bot import Cog, GroupCog, Interaction
from cogs.core.colours import BLUE
from cogs.core.errors import RowButton, row_of
from cogs.core.text import plural
from cogs.imagine.progress import Progress
from domain import NotAllowed
from domain.settings import DEFAULT_RETENTION_DAYS

# Room for an archive's own structure and the JSON file beside the pictures.
ARCHIVE_OVERHEAD = 64 * 1024
KEPT = (
    "What stays: blocks, strikes until they expire, that (not what) was refused within the last day, and credits of "
    "the last day; without them, erasing would refill your allowance and lift moderators' decisions. If you moderate, "
    "the audit log keeps for a year that it was you who decided. Later your name is taken out of all that, too. "
    "Messages in Discord stay there: delete your pictures with 🗑️ first if you want them gone as well."
)
MARKED = (
    "What you keep with ⭐ is marked for you alone, and the mark goes with the picture: it makes no picture stay "
    "longer than its server keeps it or its member wants it."
)


class Privacy(GroupCog, group_name="privacy"):
    """What is stored of you."""

    async def cog_load(self) -> None:
        self.bot.background.add(self.forget)

    @app_commands.command()
    async def show(self, interaction: Interaction) -> None:
        """What I have stored of you"""
        counts = await self.bot.service.privacy.summarise(interaction.user.id)
        settings = await self.bot.service.settings.fetch(interaction.guild_id or 0)
        lines = [f"• {count} {words}" for words, count in counts.items()]
        text = "\n".join(lines) or "Nothing."
        embed = discord.Embed(title="What I have stored of you", description=text, colour=BLUE)
        embed.add_field(
            name="What for",
            value="To paint what you ask for, to let moderators decide about appeals and reports, and to keep to the "
            "model's licence. `/privacy export` gives it to you, `/privacy delete` erases it.",
            inline=False,
        )
        embed.add_field(name="How long", value=_kept_for(settings.retention_days), inline=False)
        embed.add_field(name="⭐ Keep", value=MARKED, inline=False)
        await interaction.response.send_message(embed=embed, ephemeral=True)

    @app_commands.command()
    async def export(self, interaction: Interaction) -> None:
        """Everything I have stored of you, as files"""
        await interaction.response.defer(ephemeral=True, thinking=True)
        privacy = self.bot.service.privacy
        export = await privacy.export(interaction.user.id, interaction.filesize_limit - ARCHIVE_OVERHEAD)
        async for part in privacy.fetch_parts(export):
            files = dict(part.pictures)
            words = ""
            if part.number == 1:
                files["stored.json"] = json.dumps(export.rows, ensure_ascii=False, indent=2).encode()
                words = "What I have stored of you: `stored.json` and your pictures." + _left_out(export.too_large)
            data = await asyncio.to_thread(archive, files)
            file = discord.File(io.BytesIO(data), f"stored-{part.number}-of-{part.count}.zip")
            await interaction.followup.send(words, file=file, ephemeral=True)

    @app_commands.command()
    async def delete(self, interaction: Interaction) -> None:
        """Erase what I have stored of you"""
        await interaction.response.send_message(
            "This erases your pictures, prompts, agreements, appeals, entries and votes for good, in every server. "
            f"It can't be undone.\n{KEPT}",
            view=row_of(EraseButton(interaction.user.id)),
            ephemeral=True,
        )

    # ---- forgetting in time ----------------------------------------------------------------------------------------

    async def forget(self) -> None:
        await self.bot.service.privacy.forget()

    @Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self.bot.service.privacy.note_departure(guild.id)

    @Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self.bot.service.privacy.note_return(guild.id)

    @Cog.listener()
    async def on_ready(self) -> None:
        """Notice servers that removed the bot, or took it back, while it was not running."""
        await self.bot.service.privacy.note_present({guild.id for guild in self.bot.guilds})


class EraseButton(RowButton, template=r"privacy:erase:(?P<row_id>[0-9]+)"):
    """Erase, after one more look; the row is the member."""

    prefix, label, style = "privacy:erase", "Erase everything", discord.ButtonStyle.danger

    async def act(self, interaction: Interaction) -> None:
        if interaction.user.id != self.row_id:
            raise NotAllowed("You can erase only what is stored of yourself.")
        await interaction.response.defer(ephemeral=True)
        bot = interaction.client
        for job_id in await bot.service.privacy.erase_member(interaction.user.id):
            await bot.cog(Progress).close(job_id)
        await interaction.edit_original_response(content=f"Erased.\n{KEPT}", view=None)


def _kept_for(days: int | None) -> str:
    here = f"{plural(days, 'day')}" if days else "until somebody deletes them"
    return (
        f"Pictures and prompts from here: {here}. Each server's moderators choose how long with `/settings`; who "
        f"chooses nothing, and direct messages, keep them for {plural(DEFAULT_RETENTION_DAYS, 'day')}."
    )


def _left_out(names: tuple[str, ...]) -> str:
    """What no file of an export can hold is said, with the way to get it."""
    if not names:
        return ""
    return (
        f" {plural(len(names), 'picture')} of yours can't be in it, because no file here may be so large: "
        f"{', '.join(names)[:500]}. You find them in the messages in which they were painted."
    )


def archive(files: dict[str, bytes]) -> bytes:
    """The files in a zip archive; pictures are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, data in files.items():
            kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            zipped.writestr(name, data, compress_type=kind)
    return buffer.getvalue()


BUTTONS: tuple[type[RowButton], ...] = (EraseButton,)
