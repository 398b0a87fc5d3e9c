"""What a job's message looks like in each state of its life. Pure: job in, container out.

From the first answer on it is one message of Discord's newer components: who asked (named, not pinged), the words, what
is going on or the pictures, and in small print the truth about them. The buttons are added by others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import discord

from cogs.core.colours import BLUE, GREEN, GREY, RED
from cogs.core.i18n import ENGLISH, Translation
from cogs.core.layout import Card, gallery, small, text
from cogs.core.text import inert
from domain import Job, JobStatus, ModelProfile, Outcome, OutcomeCode, PictureFacts, Progress, Reading, Standing

BAR_CELLS = 12
PREVIEW = "preview.jpg"
# Longer prompts are folded: all of it is in the details.
MAX_PROMPT = 400
MAX_ALT_TEXT = 1000

ENDINGS = {
    JobStatus.CANCELLED: "Cancelled",
    JobStatus.FAILED: "This did not work",
    JobStatus.REFUSED: "Not painted",
    JobStatus.WITHHELD: "Picture withheld",
}

# With the reference that the log shows, too.
FAILED = (
    "Something went wrong on our side; nothing was charged. If it happens again, tell the moderators this reference: "
    "{reference}."
)
OUTCOMES = {
    OutcomeCode.CANCELLED: "Nothing was charged.",
    OutcomeCode.CANCELLED_BY_MODERATOR: "A moderator took it back; nothing was charged.",
    OutcomeCode.REPLACED: "Replaced; nothing was charged.",
    OutcomeCode.FAILED: "This picture could not be painted; nothing was charged.",
    OutcomeCode.REJECTED: "A moderator decided not to show this picture.",
    OutcomeCode.PLACE_STRICTER: "This channel takes no adult pictures any more, so this one can't be shown here.",
}


@dataclass(frozen=True, slots=True)
class Finished:
    """Everything that a finished message shows.

    `files` are the attachments' names, one for each of `pictures` that has a file, in order; `number` is the picture
    that the buttons mean, counted from 1, None for all; `parent` is the job from whose picture this one was made.
    """

    job: Job
    pictures: Sequence[PictureFacts]
    files: Sequence[str]
    profile: ModelProfile
    reading: Reading
    number: int | None = 1
    parent: Job | None = None
    is_spoiler: bool = False


def waiting_card(job: Job, standing: Standing | None, now: datetime, words: Translation = ENGLISH) -> Card:
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


def painting_card(job: Job, progress: Progress, words: Translation = ENGLISH) -> Card:
    """Percent, a bar, and the preview picture if there is one."""
    share = progress.step / max(progress.total_steps, 1)
    filled = round(share * BAR_CELLS)
    bar = f"`{'█' * filled}{'░' * (BAR_CELLS - filled)}`"
    line = f"{bar} {words('step {step} of {total}', step=progress.step, total=progress.total_steps)}"
    preview = None
    if progress.preview is not None:
        alt = words("A preview, AI-generated, for the prompt: {prompt}", prompt=job.request.prompt)[:MAX_ALT_TEXT]
        preview = discord.MediaGalleryItem(f"attachment://{PREVIEW}", description=alt)
    return _card(job, words("Painting: {share}", share=f"{share:.0%}"), line, BLUE, words, preview)


def finished_card(shown: Finished, words: Translation = ENGLISH) -> Card:
    """The pictures, and the truth about them."""
    job, request = shown.job, shown.job.request
    card = Card(accent_colour=GREEN)
    card.add_item(text(f"{_asker(job)}\n**{inert(request.prompt, MAX_PROMPT)}**"))
    card.add_item(gallery(_items(shown, words)))
    notes = [*_words_as_read(shown, words), _parameters(shown, words), *_lineage(shown, words)]
    withheld = sum(picture.is_withheld for picture in shown.pictures)
    if withheld:
        notes.append(
            words.count(
                withheld,
                "1 picture did not pass the picture check and cannot be shown.",
                "{count} pictures did not pass the picture check and cannot be shown.",
            )
        )
    model = job.model.name if job.model else shown.profile.identity.name
    picture = words("picture {number}", number=job.id)
    notes.append(f"{model} · {picture} · {words.credits(job.cost)} · {words('AI-generated')}")
    card.add_item(small("\n".join(notes)))
    if len(shown.files) > 1:
        card.add_item(text(_chosen(shown, words)))
    return card


def _chosen(shown: Finished, words: Translation) -> str:
    """Which pictures the buttons mean."""
    if shown.number is None:
        return words("The buttons mean **all {total} pictures**.", total=len(shown.files))
    return words("The buttons mean picture **{number}** of {total}.", number=shown.number, total=len(shown.pictures))


def ended_card(job: Job, words: Translation = ENGLISH) -> Card:
    """An end without pictures, with its reason."""
    colour = GREY if job.status is JobStatus.CANCELLED else RED
    return _card(job, words(ENDINGS.get(job.status, "Ended")), _outcome(job.outcome, words), colour, words)


def unshown_card(job: Job, reason: str, words: Translation = ENGLISH) -> Card:
    """A finished picture that Discord does not take; it was painted and paid for, and stays stored."""
    return _card(job, words("Your picture is ready"), words(reason), RED, words)


def held_card(job: Job, words: Translation = ENGLISH) -> Card:
    """A finished picture that waits for a moderator's yes."""
    line = "In this channel a moderator looks at every picture first. It appears here as soon as one has said yes."
    return _card(job, words("Waiting for a moderator"), words(line), GREY, words)


def shown_numbers(pictures: Sequence[PictureFacts]) -> list[int]:
    """The pictures that are there to be seen, counted from 1."""
    return [number for number, picture in enumerate(pictures, 1) if picture.is_stored]


def _outcome(outcome: Outcome | None, words: Translation) -> str:
    """Why a job ended without pictures; what a UserError said is shown as it was said."""
    if outcome is None:
        return words("Nothing was charged.")
    if outcome.code is OutcomeCode.FAILED and outcome.detail:
        return words(FAILED, reference=outcome.detail)
    return words(OUTCOMES.get(outcome.code, outcome.detail))


def _card(
    job: Job,
    title: str,
    line: str,
    colour: int,
    words: Translation,
    preview: discord.MediaGalleryItem | None = None,
) -> Card:
    card = Card(accent_colour=colour)
    card.add_item(text(f"### {title}\n{_asker(job)} {inert(job.request.prompt, MAX_PROMPT)}\n{line}"))
    if preview is not None:
        card.add_item(gallery([preview]))
    cost = f" · {words.credits(job.cost)}" if job.status.is_open else ""
    picture = words("picture {number}", number=job.id)
    card.add_item(small(f"{picture} · seed {job.request.seed}{cost}"))
    return card


def _asker(job: Job) -> str:
    """Named, not pinged: nobody is allowed to be mentioned in what we edit."""
    return f"<@{job.user_id}>"


def _items(shown: Finished, words: Translation) -> list[discord.MediaGalleryItem]:
    says = {"total": len(shown.pictures), "prompt": shown.job.request.prompt}
    alts = [
        words("Picture {number} of {total}, AI-generated, for the prompt: {prompt}", number=number, **says)
        for number in shown_numbers(shown.pictures)
    ]
    return [
        discord.MediaGalleryItem(f"attachment://{name}", description=alt[:MAX_ALT_TEXT], spoiler=shown.is_spoiler)
        for name, alt in zip(shown.files, alts, strict=True)
    ]


def _words_as_read(shown: Finished, words: Translation) -> list[str]:
    """What differs from what was typed, and what weighs less."""
    request, reading, lines = shown.job.request, shown.reading, list[str]()
    if request.negative_prompt:
        lines.append(f"**{words('Without')}** {inert(request.negative_prompt, 300)}")
    if reading.text != request.prompt or request.left_out:
        lines.append(f"**{words('Read as')}** {inert(reading.text, MAX_PROMPT)}{_left_out(request.left_out, words)}")
    if reading.beyond:
        lines.append(f"**{words('Beyond the first 75 tokens (weighs less)')}** {inert(reading.beyond, 200)}")
    return lines


def _left_out(options: tuple[str, ...], words: Translation) -> str:
    """What the prompt named and nothing came of."""
    return f" ({inert(words('left out: {options}', options=', '.join(options)), 200)})" if options else ""


def _parameters(shown: Finished, words: Translation) -> str:
    request = shown.job.request
    parts = {
        "Size": _size(shown, words),
        "Steps": str(request.num_inference_steps),
        "Guidance": f"{request.guidance_scale:g}",
        "Scheduler": request.scheduler,
        "Preset": request.preset or "",
        "Seed": _seeds(shown.pictures),
    }
    return " · ".join(f"**{words(name)}** {value}" for name, value in parts.items() if value)


def _seeds(pictures: Sequence[PictureFacts]) -> str:
    if len(pictures) == 1:
        return str(pictures[0].seed)
    return ", ".join(f"{number}: {pictures[number - 1].seed}" for number in shown_numbers(pictures))


def _size(shown: Finished, words: Translation) -> str:
    """The real one, in pixels, and what was done to it."""
    first = shown.pictures[shown_numbers(shown.pictures)[0] - 1]
    size = f"{first.width}×{first.height}"
    if shown.job.request.upscale > 1:
        size = words("{size} (upscaled {factor}×)", size=size, factor=f"{shown.job.request.upscale:g}")
    if shown.profile.display_scale > 1:
        size = words("{size} (shown {factor}×)", size=size, factor=shown.profile.display_scale)
    return size


def _lineage(shown: Finished, words: Translation) -> list[str]:
    """From which picture this one was made, and how much of it could change."""
    job, parent = shown.job, shown.parent
    lines: list[str] = []
    if parent is not None and job.parent_number is not None:
        lines.append(words("From picture {number} of {link}", number=job.parent_number, link=link_to(parent, words)))
    elif parent is not None:
        lines.append(words("Made from {link}", link=link_to(parent, words)))
    elif job.request.init_image is not None:
        lines.append(words("From a start picture"))
    if job.request.init_image is not None:
        strength = words("strength {strength}", strength=f"{job.request.strength:g}")
        lines[-1] += f" · {strength}"
        if job.request.mask_image is not None:
            lines[-1] += f" · {words('with a mask')}"
    return lines


def link_to(job: Job, words: Translation = ENGLISH) -> str:
    """A link to the message that shows a job; its number where there is none."""
    if job.message_id is None:
        return words("picture {number}", number=job.id)
    place = job.guild_id or "@me"
    address = f"https://discord.com/channels/{place}/{job.channel_id}/{job.message_id}"
    return f"[{words('this message')}]({address})"
