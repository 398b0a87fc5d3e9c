"""Pictures as files of a message."""

from __future__ import annotations

import io

import discord

from domain import Job, Upload

MAX_DESCRIPTION = 1000


def picture_file(job: Job, upload: Upload) -> discord.File:
    """A picture of a job, with its prompt for those who can't see it."""
    alt = f"AI-generated picture for the prompt: {job.request.prompt}"[:MAX_DESCRIPTION]
    return discord.File(io.BytesIO(upload.data), upload.filename, description=alt)
