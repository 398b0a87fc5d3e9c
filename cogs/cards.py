"""What a job's message looks like in each state of its life. Pure: job in, embed and buttons out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import discord

from cogs.text import inert, plural
from domain import Job, JobStatus, ModelProfile, Painting, Progress, Standing
from engine.cost import credits_in_words

GREY, BLUE, GREEN, RED = 0x8A8F98, 0x5B8DEF, 0x57A773, 0xC8553D
BAR_CELLS = 12
PREVIEW = "preview.jpg"

ENDINGS = {
    JobStatus.CANCELLED: "Cancelled",
    JobStatus.FAILED: "This did not work",
    JobStatus.REFUSED: "Not painted",
    JobStatus.WITHHELD: "Picture withheld",
}


def waiting_card(job: Job, standing: Standing | None, now: datetime) -> discord.Embed:
    """The place in the queue and when the picture is due."""
    if standing is None or standing.ahead == 0:
        title, line = "Next in line", "Your picture is up next."
    else:
        title = f"Waiting: {plural(standing.ahead, 'picture')} before yours"
        line = f"Place {standing.ahead + 1} in the queue."
    if standing is not None:
        due = now + timedelta(seconds=standing.wait_seconds)
        line += f" It should be ready {discord.utils.format_dt(due, 'R')}."
    return _card(job, title, line, GREY)


def painting_card(job: Job, progress: Progress) -> discord.Embed:
    """Percent, a bar, and the preview picture if there is one."""
    share = progress.step / max(progress.total_steps, 1)
    filled = round(share * BAR_CELLS)
    line = f"`{'█' * filled}{'░' * (BAR_CELLS - filled)}` step {progress.step} of {progress.total_steps}"
    embed = _card(job, f"Painting: {share:.0%}", line, BLUE)
    if progress.preview is not None:
        embed.set_image(url=f"attachment://{PREVIEW}")
    return embed


def finished_card(job: Job, paintings: Sequence[Painting], profile: ModelProfile, beyond: str = "") -> discord.Embed:
    """The finished pictures' parameters; the pictures themselves are the message's attachments."""
    request = job.request
    withheld = sum(1 for painting in paintings if painting.png is None)
    embed = discord.Embed(description=f"**{inert(request.prompt, 2500)}**", colour=GREEN)
    if request.negative_prompt:
        embed.add_field(name="Without", value=inert(request.negative_prompt), inline=False)
    embed.add_field(name="Seed", value=", ".join(str(painting.seed) for painting in paintings))
    embed.add_field(name="Size", value=_size(job, profile))
    embed.add_field(name="Steps", value=str(request.num_inference_steps))
    embed.add_field(name="Guidance", value=f"{request.guidance_scale:g}")
    embed.add_field(name="Scheduler", value=request.scheduler)
    if beyond:
        embed.add_field(name="Beyond the first 75 tokens (weighs less)", value=inert(beyond, 300), inline=False)
    if withheld:
        embed.add_field(
            name="Withheld",
            value=f"{plural(withheld, 'picture')} did not pass the picture check and cannot be shown.",
            inline=False,
        )
    model = job.model.name if job.model else profile.identity.name
    embed.set_footer(text=f"{model} · picture {job.id} · {credits_in_words(job.cost)} · AI-generated")
    return embed


def ended_card(job: Job) -> discord.Embed:
    """An end without pictures, with its reason."""
    colour = GREY if job.status is JobStatus.CANCELLED else RED
    return _card(job, ENDINGS.get(job.status, "Ended"), job.outcome or "Nothing was charged.", colour)


def held_card(job: Job) -> discord.Embed:
    """A finished picture that waits for a moderator's yes."""
    line = "In this channel a moderator looks at every picture first. It appears here as soon as one has said yes."
    return _card(job, "Waiting for a moderator", line, GREY)


def _card(job: Job, title: str, line: str, colour: int) -> discord.Embed:
    embed = discord.Embed(title=title, description=f"{inert(job.request.prompt, 300)}\n\n{line}", colour=colour)
    cost = f" · {credits_in_words(job.cost)}" if job.status.is_open else ""
    embed.set_footer(text=f"picture {job.id} · seed {job.request.seed}{cost}")
    return embed


def _size(job: Job, profile: ModelProfile) -> str:
    size = f"{job.request.width}×{job.request.height}"
    return f"{size} (shown {profile.display_scale}×)" if profile.display_scale > 1 else size
