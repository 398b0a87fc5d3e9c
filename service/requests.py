"""Requests that are made from a picture that is there, what they cost, and what a picture says about itself."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

from domain import (
    SEED_LIMIT,
    InvalidRequest,
    Job,
    ModelIdentity,
    ModelProfile,
    NotFound,
    Picture,
    PictureFacts,
    Request,
)
from domain.details import Details
from domain.forms import FormFields
from domain.refusals import Draft
from domain.regions import Region
from engine.images.metadata import parameters, read_png
from engine.images.regions import region_mask, region_preview
from engine.request.cost import millicredits_for
from engine.request.inline_options import require_start, with_inline
from engine.request.passes import upscale_strength
from engine.request.settings_text import join_fields, read_settings, split_fields, write_settings
from service.jobs import Jobs

STRONG = 0.6
"""Of painting on from a picture: the composition may change, too."""
REGION_STRENGTH = 0.8
"""Of painting in a region alone: the rest holds the picture together, so what is there may become another thing."""


class Requests:
    """What the buttons under a picture ask for. `number` says which of a job's pictures, counted from 1."""

    def __init__(self, jobs: Jobs, profile: ModelProfile) -> None:
        self._jobs = jobs
        self._profile = profile

    @property
    def upscaling(self) -> str:
        """What becomes of a picture that is upscaled, in words that follow its name."""
        if upscale_strength(self._profile.identity) > 0:
            return "painted once more with a second, larger pass"
        return "enlarged; this model paints well in its own size only"

    def price(self, request: Request) -> int:
        """In thousandths of a credit."""
        return millicredits_for(request, self._profile)

    async def again(self, job: Job) -> Request:
        """A job's request with a new seed."""
        return replace(job.request, seed=_new_seed(), left_out=())

    async def upscaled(self, job: Job, number: int, factor: float) -> Request:
        """The very picture, upscaled. Raises InvalidRequest, or NotFound if it is erased."""
        picture = await self._facts(job, number)
        if job.request.upscale > 1:
            raise InvalidRequest("This picture is upscaled already.")
        return replace(job.request, images=1, seed=picture.seed, upscale=factor, left_out=())

    async def upscaled_all(self, job: Job, factor: float) -> Request:
        """All pictures that are left of the job, in one go. Raises as `upscaled` does."""
        pictures = await self._jobs.fetch_facts(job.id)
        left = [position for position, picture in enumerate(pictures) if picture.is_stored]
        if not left:
            raise NotFound("These pictures are not stored any more.")
        if job.request.upscale > 1:
            raise InvalidRequest("These pictures are upscaled already.")
        if left[-1] - left[0] >= len(left):  # the seeds of one request follow each other
            raise InvalidRequest("One between these pictures is gone, so they can't be painted in one go: choose each.")
        return replace(job.request, images=len(left), seed=pictures[left[0]].seed, upscale=factor, left_out=())

    async def varied(self, job: Job, number: int, strength: float = STRONG) -> Request:
        """The request painted on from one of its own pictures. Raises NotFound if that is erased."""
        request = await self.started(job, number)
        return replace(request, strength=strength, seed=_new_seed())

    async def started(self, job: Job, number: int) -> Request:
        """The request with one of its own pictures as start picture. Raises NotFound if that is erased."""
        picture = await self._picture(job, number)
        return replace(job.request, init_image=picture.png, mask_image=None, strength=STRONG, upscale=1.0, left_out=())

    async def in_region(self, job: Job, number: int, region: Region) -> Request:
        """One of the job's pictures, painted on only in the region. Raises NotFound if that is erased."""
        request = await self.started(job, number)
        mask = await asyncio.to_thread(region_mask, region, (request.width, request.height))
        return replace(request, mask_image=mask, strength=REGION_STRENGTH, seed=_new_seed())

    async def preview_region(self, request: Request, region: Region) -> bytes:
        """A request's start picture with the region tinted, as WebP."""
        if request.init_image is None:
            raise ValueError("a request without a start picture has no region")
        return await asyncio.to_thread(region_preview, request.init_image, region, self._profile.display_scale)

    def settings_line(self, request: Request) -> str:
        """Everything but words and files, as text that people read and change."""
        return write_settings(request)

    def fields(self, draft: Draft) -> FormFields:
        """What a form that opens with this draft shows in its fields."""
        return split_fields(draft.settings, draft.request)

    def settings_of(self, fields: FormFields) -> str:
        """A form's fields as the text that `changed` reads."""
        return join_fields(fields)

    def changed(
        self,
        request: Request,
        prompt: str,
        negative_prompt: str,
        settings: str,
        files: tuple[bytes | None, bytes | None] = (None, None),
    ) -> Request:
        """The request as a form says; `files` are a new start picture and mask, None keeps what there is.

        Settings that the words name (a pasted parameter block) count more than those the form was opened with, and
        less than those that were changed in it. Raises InvalidRequest for what can't be done.
        """
        init_image, mask_image = files
        if init_image is not None:
            request = replace(request, init_image=init_image, mask_image=None)
        if mask_image is not None:
            request = replace(request, mask_image=mask_image)
        named = with_inline(replace(request, prompt=prompt, negative_prompt=negative_prompt), self._profile)
        changed = read_settings(settings, named, self._profile.shapes, shown=request)
        require_start(None if changed.strength == request.strength else changed.strength, changed.init_image)
        return changed

    async def details(self, job: Job, number: int) -> Details:
        """Everything about one picture. Raises NotFound if it is erased."""
        picture = await self._facts(job, number)
        model = job.model or self._profile.identity
        return Details(
            number=number,
            seed=picture.seed,
            width=picture.width,
            height=picture.height,
            parameters=await self._parameters(job, number, picture.seed, model),
            model=model,
            parent=await self._jobs.find(job.parent_id) if job.parent_id is not None else None,
        )

    async def fetch_file(self, job: Job, number: int) -> bytes:
        """One picture's own PNG file. Raises NotFound if it is erased."""
        png = (await self._picture(job, number)).png
        assert png is not None
        return png

    async def _parameters(self, job: Job, number: int, seed: int, model: ModelIdentity) -> str:
        """Its text; an upscaled one's is its file's own, because the way of upscaling has changed since the first."""
        if job.request.upscale > 1:
            info = read_png(await self.fetch_file(job, number))
            if info is not None:
                return info.parameters
        return parameters(replace(job.request, images=1, seed=seed), seed, model)

    async def _facts(self, job: Job, number: int) -> PictureFacts:
        pictures = await self._jobs.fetch_facts(job.id)
        if number > len(pictures) or not pictures[number - 1].is_stored:
            raise NotFound("This picture is not stored any more.")
        return pictures[number - 1]

    async def _picture(self, job: Job, number: int) -> Picture:
        picture = await self._jobs.fetch_one_picture(job.id, number)
        if picture is None or picture.png is None:
            raise NotFound("This picture is not stored any more.")
        return picture


def _new_seed() -> int:
    return secrets.randbelow(SEED_LIMIT)
