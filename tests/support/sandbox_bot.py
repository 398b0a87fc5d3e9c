"""A small real discord.py bot with one of everything, to test the loopback Discord itself."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import discord
from discord import app_commands
from discord.ext import commands

from sandbox.people.person import WAIT_SECONDS
from sandbox.server import LoopbackDiscord

CHOICES = ("euler", "heun", "ddim")


class Counter(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"count:(?P<number>\d+)"):
    """A button that works after a restart: its state is its custom_id."""

    def __init__(self, number: int) -> None:
        super().__init__(discord.ui.Button(label=f"Count {number}", custom_id=f"count:{number}"))
        self.number = number

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any, /) -> Counter:
        return cls(int(match["number"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        view = discord.ui.View(timeout=None)
        view.add_item(Counter(self.number + 1))
        await interaction.response.edit_message(content=f"counted {self.number + 1}", view=view)


class Form(discord.ui.Modal, title="Form"):
    words = discord.ui.TextInput[Any](label="Words", custom_id="words", max_length=20)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        await interaction.response.send_message(f"form: {self.words.value}", ephemeral=True)


class Panel(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Open form", custom_id="panel:form")
    async def form(self, interaction: discord.Interaction[Any], _: Any) -> None:
        await interaction.response.send_modal(Form())

    @discord.ui.button(label="Remove", custom_id="panel:remove", emoji="🗑️")
    async def remove(self, interaction: discord.Interaction[Any], _: Any) -> None:
        await interaction.response.defer()
        await interaction.delete_original_response()

    @discord.ui.select(
        placeholder="Pick", custom_id="panel:pick", options=[discord.SelectOption(label=one) for one in CHOICES]
    )
    async def pick(self, interaction: discord.Interaction[Any], select: discord.ui.Select[Any]) -> None:
        await interaction.response.edit_message(content=f"picked {select.values[0]}")

    @discord.ui.select(cls=discord.ui.UserSelect, custom_id="panel:who")
    async def who(self, interaction: discord.Interaction[Any], select: discord.ui.UserSelect[Any]) -> None:
        await interaction.response.send_message(f"chose {select.values[0].name}", ephemeral=True)


class Everything(commands.Cog):
    """The commands; `gate` lets a test hold `/slow` until it has looked."""

    def __init__(self, bot: SandboxBot) -> None:
        self.bot = bot

    @app_commands.command(description="Say something back")
    async def echo(
        self,
        interaction: discord.Interaction[Any],
        text: app_commands.Range[str, 1, 100],
        times: app_commands.Range[int, 1, 5] = 1,
        mood: Literal["calm", "glad"] = "calm",
        hidden: bool = False,
        member: discord.Member | None = None,
        place: discord.TextChannel | None = None,
    ) -> None:
        words = f"{mood}: {' '.join([text] * times)}"
        words += f" {member.name}" if member else ""
        words += f" {place.name}" if place else ""
        await interaction.response.send_message(words, ephemeral=hidden)

    @app_commands.command(description="Defer, show progress, finish with a picture")
    async def slow(self, interaction: discord.Interaction[Any], label: str, edits: int = 2) -> None:
        await interaction.response.defer(thinking=True)
        for step in range(edits):
            await self.bot.gate.wait()
            card = discord.Embed(title=f"{label} {step}").set_image(url="attachment://preview.png")
            files = [discord.File(io.BytesIO(f"{label} {step}".encode()), "preview.png")]
            await interaction.edit_original_response(embed=card, attachments=files)
        done = discord.File(io.BytesIO(f"{label} done".encode()), f"{label}.png")
        await interaction.edit_original_response(content=f"{label} done", embed=None, attachments=[done], view=Panel())

    @app_commands.command(description="Give a file back")
    async def copy(self, interaction: discord.Interaction[Any], file: discord.Attachment) -> None:
        data = await file.read()
        await interaction.response.send_message(file=discord.File(io.BytesIO(data[::-1]), file.filename))

    @app_commands.command(description="Suggests while you type")
    async def sampler(self, interaction: discord.Interaction[Any], name: str) -> None:
        await interaction.response.send_message(name)

    @sampler.autocomplete("name")
    async def _names(self, _: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=one.upper(), value=one) for one in CHOICES if one.startswith(current)]

    @app_commands.command(description="Counts")
    async def counter(self, interaction: discord.Interaction[Any]) -> None:
        view = discord.ui.View(timeout=None)
        view.add_item(Counter(0))
        await interaction.response.send_message("counted 0", view=view)

    @app_commands.command(description="A panel")
    async def panel(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("panel", view=Panel())

    @app_commands.command(description="New components")
    async def gallery(self, interaction: discord.Interaction[Any]) -> None:
        view = discord.ui.LayoutView()
        view.add_item(discord.ui.TextDisplay("two pictures"))
        view.add_item(discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png")))
        await interaction.response.send_message(view=view, file=discord.File(io.BytesIO(b"a"), "a.png"))

    @app_commands.command(description="Only for adults", nsfw=True)
    async def adult(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("adult")

    @app_commands.command(description="For moderators")
    @app_commands.default_permissions(manage_messages=True)
    @app_commands.guild_only()
    async def moderate(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("moderated", ephemeral=True)

    @app_commands.command(description="Runs whatever a test put in")
    async def run(self, interaction: discord.Interaction[Any]) -> None:
        await self.bot.to_run(interaction)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        self.bot.heard.append(message)
        if isinstance(message.channel, discord.TextChannel) and message.channel.name == "prompts":
            if message.author.bot:
                return
            data = b"".join([await one.read() for one in message.attachments])
            await message.add_reaction("🎨")
            await message.reply(f"prompt: {message.content}", file=discord.File(io.BytesIO(data or b"-"), "p.png"))

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        self.bot.reactions.append(payload)


class SandboxBot(commands.Bot):
    """What it heard is kept for tests to look at."""

    def __init__(self, *, message_content: bool = True, sync: bool = True) -> None:
        intents = discord.Intents.default()
        intents.message_content = message_content
        super().__init__(command_prefix="!", intents=intents, guild_ready_timeout=0.05, max_ratelimit_timeout=60.0)
        self.gate = asyncio.Event()
        self.gate.set()
        self.heard: list[discord.Message] = []
        self.reactions: list[discord.RawReactionActionEvent] = []
        self.errors: list[Exception] = []
        self.to_run: Any = None
        self._sync = sync

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Counter)
        self.add_view(Panel())
        await self.add_cog(Everything(self))
        self.tree.add_command(app_commands.ContextMenu(name="Quote", callback=_quote))
        self.tree.add_command(app_commands.ContextMenu(name="Who", callback=_who))
        self.tree.error(self._on_tree_error)
        if self._sync:
            await self.tree.sync()

    async def _on_tree_error(self, interaction: discord.Interaction[Any], error: Exception) -> None:
        self.errors.append(getattr(error, "original", error))


async def _quote(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    await interaction.response.send_message(f"> {message.content}", ephemeral=True)


async def _who(interaction: discord.Interaction[Any], user: discord.User) -> None:
    await interaction.response.send_message(f"that is {user.name}", ephemeral=True)


@asynccontextmanager
async def logged_in(server: LoopbackDiscord, **options: Any) -> AsyncGenerator[SandboxBot]:
    """The bot, ready on a server."""
    with server.attached():
        async with SandboxBot(**options) as bot:
            running = asyncio.create_task(bot.start("any token"))
            ready = asyncio.create_task(bot.wait_until_ready())
            try:
                await asyncio.wait({running, ready}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    await running
                assert ready.done(), "the bot did not become ready"
                yield bot
            finally:
                ready.cancel()
                await bot.close()
                await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    SandboxBot().run("any token")
