"""Requests that are made from a picture that is there."""

from __future__ import annotations

import secrets
from dataclasses import replace

from domain import SEED_LIMIT, Job, NotFound, Request
from service.jobs import Jobs

VARIATION_STRENGTH = 0.6


class Requests:
    """What the buttons under a picture ask for."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def again(self, job: Job) -> Request:
        """A job's request with a new seed."""
        return replace(job.request, seed=secrets.randbelow(SEED_LIMIT))

    async def vary(self, job: Job) -> Request:
        """A job's request painted on from its own first picture. Raises NotFound if that is erased."""
        png = await self._jobs.fetch_first_picture(job.id)
        if png is None:
            raise NotFound("This picture is not stored any more, so it can't be varied.")
        return replace(
            job.request,
            init_image=png,
            mask_image=None,
            strength=VARIATION_STRENGTH,
            upscale=1.0,
            seed=secrets.randbelow(SEED_LIMIT),
        )
