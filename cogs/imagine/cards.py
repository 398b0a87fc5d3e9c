"""What a job's message looks like in each state of its life. Pure: job in, embed and buttons out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import discord

from cogs.core.colours import BLUE, GREEN, GREY, RED
from cogs.core.i18n import ENGLISH, Translation
from cogs.core.text import UNEXPECTED, inert
from domain import Job, JobStatus, ModelProfile, Outcome, OutcomeCode, Picture, Progress, Reading, Standing

BAR_CELLS = 12
PREVIEW = "preview.jpg"

ENDINGS = {
    JobStatus.CANCELLED: "Cancelled",
    JobStatus.FAILED: "This did not work",
    JobStatus.REFUSED: "Not painted",
    JobStatus.WITHHELD: "Picture withheld",
}


OUTCOMES = {
    OutcomeCode.CANCELLED: "Nothing was charged.",
    OutcomeCode.CANCELLED_BY_MODERATOR: "A moderator took it back; nothing was charged.",
    OutcomeCode.REPLACED: "Replaced; nothing was charged.",
    OutcomeCode.FAILED: "This picture could not be painted; nothing was charged.",
    OutcomeCode.REJECTED: "A moderator decided not to show this picture.",
    OutcomeCode.PLACE_STRICTER: "This channel takes no adult pictures any more, so this one can't be shown here.",
}


def waiting_card(job: Job, standing: Standing | None, now: datetime, words: Translation = ENGLISH) -> discord.Embed:
    """The place in the queue and when the picture is due."""
    if standing is None or standing.ahead == 0:
        title, line = words("Next in line"), words("Your picture is up next.")
    else:
        title = words.count(standing.ahead, "Waiting: 1 picture before yours", "Waiting: {count} pictures before yours")
        line = words("Place {place} in the queue.", place=standing.ahead + 1)
    if standing is not None:
        due = now + timedelta(seconds=standing.wait_seconds)
        line += " " + words("It should be ready {when}.", when=discord.utils.format_dt(due, "R"))
    return _card(job, title, line, GREY, words)


def painting_card(job: Job, progress: Progress, words: Translation = ENGLISH) -> discord.Embed:
    """Percent, a bar, and the preview picture if there is one."""
    share = progress.step / max(progress.total_steps, 1)
    filled = round(share * BAR_CELLS)
    bar = f"`{'█' * filled}{'░' * (BAR_CELLS - filled)}`"
    line = f"{bar} {words('step {step} of {total}', step=progress.step, total=progress.total_steps)}"
    embed = _card(job, words("Painting: {share}", share=f"{share:.0%}"), line, BLUE, words)
    if progress.preview is not None:
        embed.set_image(url=f"attachment://{PREVIEW}")
    return embed


def finished_card(
    job: Job, pictures: Sequence[Picture], profile: ModelProfile, reading: Reading, words: Translation = ENGLISH
) -> discord.Embed:
    """The finished pictures' parameters; the pictures themselves are the message's attachments."""
    request = job.request
    withheld = sum(1 for picture in pictures if picture.png is None)
    embed = discord.Embed(description=f"**{inert(request.prompt, 2500)}**", colour=GREEN)
    if reading.text != request.prompt:
        embed.add_field(name=words("Read as"), value=inert(reading.text, 900), inline=False)
    if request.negative_prompt:
        embed.add_field(name=words("Without"), value=inert(request.negative_prompt), inline=False)
    embed.add_field(name=words("Seed"), value=", ".join(str(picture.seed) for picture in pictures))
    embed.add_field(name=words("Size"), value=_size(job, profile, words))
    embed.add_field(name=words("Steps"), value=str(request.num_inference_steps))
    embed.add_field(name=words("Guidance"), value=f"{request.guidance_scale:g}")
    embed.add_field(name=words("Scheduler"), value=request.scheduler)
    if request.preset is not None:
        embed.add_field(name=words("Preset"), value=request.preset)
    if reading.beyond:
        embed.add_field(
            name=words("Beyond the first 75 tokens (weighs less)"), value=inert(reading.beyond, 300), inline=False
        )
    if withheld:
        embed.add_field(
            name=words("Withheld"),
            value=words.count(
                withheld,
                "1 picture did not pass the picture check and cannot be shown.",
                "{count} pictures did not pass the picture check and cannot be shown.",
            ),
            inline=False,
        )
    model = job.model.name if job.model else profile.identity.name
    picture = words("picture {number}", number=job.id)
    embed.set_footer(text=f"{model} · {picture} · {words.credits(job.cost)} · {words('AI-generated')}")
    return embed


def ended_card(job: Job, words: Translation = ENGLISH) -> discord.Embed:
    """An end without pictures, with its reason."""
    colour = GREY if job.status is JobStatus.CANCELLED else RED
    return _card(job, words(ENDINGS.get(job.status, "Ended")), _outcome(job.outcome, words), colour, words)


def _outcome(outcome: Outcome | None, words: Translation) -> str:
    """Why a job ended without pictures; what a UserError said is shown as it was said."""
    if outcome is None:
        return words("Nothing was charged.")
    if outcome.code is OutcomeCode.FAILED and outcome.detail:
        return words(UNEXPECTED, reference=outcome.detail)
    return words(OUTCOMES.get(outcome.code, outcome.detail))


def unshown_card(job: Job, reason: str, words: Translation = ENGLISH) -> discord.Embed:
    """A finished picture that Discord does not take; it was painted and paid for, and stays stored."""
    return _card(job, words("Your picture is ready"), words(reason), RED, words)


def held_card(job: Job, words: Translation = ENGLISH) -> discord.Embed:
    """A finished picture that waits for a moderator's yes."""
    line = "In this channel a moderator looks at every picture first. It appears here as soon as one has said yes."
    return _card(job, words("Waiting for a moderator"), words(line), GREY, words)


def _card(job: Job, title: str, line: str, colour: int, words: Translation) -> discord.Embed:
    embed = discord.Embed(title=title, description=f"{inert(job.request.prompt, 300)}\n\n{line}", colour=colour)
    cost = f" · {words.credits(job.cost)}" if job.status.is_open else ""
    picture = words("picture {number}", number=job.id)
    embed.set_footer(text=f"{picture} · seed {job.request.seed}{cost}")
    return embed


def _size(job: Job, profile: ModelProfile, words: Translation) -> str:
    size = f"{job.request.width}×{job.request.height}"
    if profile.display_scale <= 1:
        return size
    return words("{size} (shown {factor}×)", size=size, factor=profile.display_scale)
