"""The licence's side: what members agree to before their first picture, and its full text at any time."""

from __future__ import annotations

import io
import logging

import discord
from discord import app_commands

from cogs.core.bot import Answer, Cog, Interaction
from cogs.core.channels import post_in_system_channel
from cogs.core.checks import require_manager
from cogs.core.colours import BLUE
from cogs.core.errors import RowButton, View, row_of
from cogs.imagine.submit import submit_kept
from domain import ConsentRequired
from domain.terms import Terms as TermsText

log = logging.getLogger(__name__)

LICENCE_FILENAME = "CreativeML-OpenRAIL-M.txt"


def terms_card(terms: TermsText, title: str) -> discord.Embed:
    """The notice and the eleven restrictions in plain words."""
    rules = "\n".join(f"**{letter}** {words}" for letter, words in terms.restrictions)
    embed = discord.Embed(title=title, description=f"{terms.notice}\n\n{rules}", colour=BLUE)
    embed.set_footer(text=f"Terms of {terms.version} · the full licence: {terms.licence_name}, also with /license")
    return embed


def licence_file(text: str) -> discord.File:
    return discord.File(io.BytesIO(text.encode()), LICENCE_FILENAME, description="The model's full licence")


async def consent_answer(interaction: Interaction, error: ConsentRequired) -> Answer:
    """The terms, with a button that goes on with the very request that was asked."""
    card = terms_card(interaction.client.service.terms.text, "Before your first picture")
    return Answer(embed=card, view=row_of(AgreeButton(error.pending_id), LicenceButton(error.pending_id)))


class AgreeButton(RowButton, template=r"terms:agree:(?P<row_id>[0-9]+)"):
    """Record the agreement and paint what was asked for before it."""

    prefix, label, style = "terms:agree", "I agree", discord.ButtonStyle.success

    async def act(self, interaction: Interaction) -> None:
        waiting = await interaction.client.service.terms.agree(interaction.user.id, self.row_id)
        if waiting is None:
            await interaction.response.send_message(
                "Thank you, that is noted. Now ask for your picture with `/imagine`.", ephemeral=True
            )
            return
        request, origin = waiting
        try:
            await submit_kept(interaction, request, origin)
        finally:
            await _fold_terms(interaction)


async def _fold_terms(interaction: Interaction) -> None:
    """Replace the terms that were agreed to by one line. If Discord does not let us, they simply stay."""
    message = interaction.message
    if message is None or not message.flags.ephemeral or not interaction.response.is_done():
        return
    card = discord.Embed(description="You agreed to the rules of the model. `/terms` shows them any time.", colour=BLUE)
    try:
        await interaction.followup.edit_message(message.id, embed=card, view=None)
    except discord.HTTPException as error:
        log.info("the terms that user %d agreed to could not be folded: %s", interaction.user.id, error)


class LicenceButton(RowButton, template=r"terms:licence:(?P<row_id>[0-9]+)"):
    """The full text as a file."""

    prefix, label = "terms:licence", "Read the full licence"

    async def act(self, interaction: Interaction) -> None:
        text = interaction.client.service.terms.licence_text()
        await interaction.response.send_message(file=licence_file(text), ephemeral=True)


class SetUpButton(RowButton, template=r"terms:guild:(?P<row_id>[0-9]+)"):
    """Somebody who manages the server agrees for it."""

    prefix, label, style = "terms:guild", "Agree for this server", discord.ButtonStyle.success

    async def act(self, interaction: Interaction) -> None:
        guild_id = await require_manager(interaction)
        await interaction.client.service.terms.agree_for_guild(guild_id, interaction.user.id)
        await interaction.response.send_message(
            "This server is set up. Members can now paint with `/imagine`; each agrees to the same rules first.",
            ephemeral=True,
        )


class Terms(Cog):
    """/license, /terms and setting a server up."""

    @app_commands.command()
    async def license(self, interaction: Interaction) -> None:
        """The model's licence, in full"""
        terms = self.bot.service.terms
        file = licence_file(terms.licence_text())
        await interaction.response.send_message(terms.text.attribution, file=file, ephemeral=True)

    @app_commands.command()
    async def terms(self, interaction: Interaction) -> None:
        """What the model may not be used for, and your agreement to it"""
        terms, view = self.bot.service.terms, View()
        if not await terms.has_agreed(interaction.user.id):
            view.add_item(AgreeButton(0))
        view.add_item(LicenceButton(0))
        card = terms_card(terms.text, "The rules of the model")
        await interaction.response.send_message(embed=card, view=view, ephemeral=True)

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def setup(self, interaction: Interaction) -> None:
        """Set the bot up for this server"""
        await require_manager(interaction)
        await interaction.response.send_message(embed=self._welcome_card(), view=_set_up_view(), ephemeral=True)

    @Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Introduce the bot."""
        await post_in_system_channel(self.bot, guild, embed=self._welcome_card(), view=_set_up_view())

    def _welcome_card(self) -> discord.Embed:
        embed = terms_card(self.bot.service.terms.text, "Hello! I paint pictures from words.")
        embed.add_field(
            name="To set me up",
            value="Somebody who manages this server agrees to these rules for it. "
            "Every member is asked for the same agreement before their first picture.",
            inline=False,
        )
        return embed


def _set_up_view() -> View:
    return row_of(SetUpButton(0), LicenceButton(0))


BUTTONS: tuple[type[RowButton], ...] = (AgreeButton, LicenceButton, SetUpButton)
