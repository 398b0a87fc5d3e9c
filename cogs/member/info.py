"""/queue, /help and /about."""

from __future__ import annotations

from datetime import timedelta

import discord
from discord import app_commands

from cogs.core.bot import Cog, Interaction
from cogs.core.colours import BLUE
from cogs.core.text import inert, plural
from domain import JobStatus
from domain.queue import EngineReport

MAX_LISTED = 10

HELP = """\
**Ask for a picture** with `/imagine`. Tags work best: `1girl, pink hair, smile, blue background`.
**Leave things out** with `negative_prompt`, **repeat a picture** with its `seed`, **get up to four** with `images`.
**Under a picture**: 1 2 3 4 and All say which is meant. Upscale and Vary say what they cost first; Edit changes \
anything, Use as start and Edit region paint on from it; Details say all about it, ⭐ Keep marks it for you, Send me \
gives you the file, Delete erases it.
**In a message's Apps menu**, Remix makes a picture of your own out of anybody's.
**While it waits or is painted**, Cancel takes it back; nothing is charged.

`/queue` shows what is being painted and where you stand; `/quota me` what you have left and what pictures cost.
`/challenges` shows what is running and who has won. `/privacy` shows, downloads and erases what is stored of you.
`/preferences` switch mentions of slow pictures off, and painting what you write to me in direct messages on.
`/terms` and `/license` say what the model may not be used for. `/about` says which model this is.
"""


class Info(Cog):
    """What people may want to know."""

    @app_commands.command()
    async def queue(self, interaction: Interaction) -> None:
        """What is being painted, and where your pictures stand"""
        service = self.bot.service
        report = service.queue.report()
        embed = discord.Embed(title="The queue", description=_report_in_words(report), colour=BLUE)
        if report.paused:
            embed.description = f"{embed.description}\nPainting is paused by the moderators; nothing is lost."
        for job in (await service.jobs.fetch_open(interaction.user.id))[:MAX_LISTED]:
            embed.add_field(name=f"Picture {job.id}", value=self._line(job.id, job.status, job.request.prompt))
        if not embed.fields and report.running + report.queued:
            embed.set_footer(text="None of them is yours.")
        await interaction.response.send_message(embed=embed, ephemeral=True)

    def _line(self, job_id: int, status: JobStatus, prompt: str) -> str:
        service = self.bot.service
        progress, standing = service.dispatch.progress(job_id), service.queue.standing(job_id)
        if progress is not None:
            state = f"painting, {progress.step / max(progress.total_steps, 1):.0%}"
        elif standing is not None:
            due = discord.utils.format_dt(service.now() + timedelta(seconds=standing.wait_seconds), "R")
            place = f"{plural(standing.ahead, 'picture')} before it" if standing.ahead else "next in line"
            state = f"{place}, should be ready {due}"
        else:
            state = status.value
        return f"{inert(prompt, 80)}\n{state}"

    @app_commands.command()
    async def help(self, interaction: Interaction) -> None:
        """How to paint with this bot"""
        await interaction.response.send_message(
            embed=discord.Embed(title="Painting with words", description=HELP, colour=BLUE), ephemeral=True
        )

    @app_commands.command()
    async def about(self, interaction: Interaction) -> None:
        """Which model paints here, and under which licence"""
        model, terms = self.bot.service.queue.profile.identity, self.bot.service.terms.text
        embed = discord.Embed(title="About this bot", colour=BLUE)
        name = f"{model.name} (a small demo model, not Waifu Diffusion)" if model.is_demo else model.name
        embed.add_field(name="Model", value=name, inline=False)
        embed.add_field(name="SHA-256", value=f"`{model.sha256[:16]}…` ({model.weights}, {model.dtype})", inline=False)
        embed.add_field(name="Licence", value=f"{terms.licence_name}, with use restrictions: `/terms`", inline=False)
        embed.add_field(name="Credits", value=terms.attribution, inline=False)
        embed.add_field(
            name="Pictures",
            value="All pictures are made by a machine and say so in their metadata "
            "(digital source type: trained algorithmic media).",
            inline=False,
        )
        await interaction.response.send_message(embed=embed, ephemeral=True)


def _report_in_words(report: EngineReport) -> str:
    if not report.running + report.queued:
        return "Nothing is being painted and nothing waits: your picture would be next."
    return f"{plural(report.running, 'picture')} being painted, {report.queued} waiting."
