"""What the second thread does so that the GPU thread never waits for it: start pictures, previews, checks, PNG files.

Nothing leaves this module that the picture check has not released.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from domain import ApprovedRequest, ModelIdentity, Picture, PictureRefused, Request
from engine.images.metadata import write_png
from engine.request.init_image import read_mask, read_start_picture
from engine.safety import SafetyChecker
from engine.sampling.pipeline import Pipeline
from engine.sampling.sample import Start

PREVIEW_QUALITY = 80
REFUSED = "The start picture did not pass the picture check, so it can't be used."


@dataclass(frozen=True, slots=True)
class StartPicture:
    """A start picture and mask that may be used: decoded, of the request's size, released by the check."""

    image: Image.Image
    mask: torch.Tensor | None

    def encoded(self, pipeline: Pipeline) -> Start:
        """Its latents. Only for the GPU thread."""
        mask = None if self.mask is None else self.mask.to(pipeline.device)
        return Start(pipeline.encode_image(self.image), mask)


class Finisher:
    """The picture check with what is made of the pictures it releases."""

    def __init__(self, pipeline: Pipeline, checker: SafetyChecker, identity: ModelIdentity) -> None:
        self._pipeline = pipeline
        self._checker = checker
        self._identity = identity

    def read_start(self, approved: ApprovedRequest) -> StartPicture:
        """Decode and check a request's start picture. Raises PictureRefused."""
        request = approved.request
        assert request.init_image is not None
        size = (request.width, request.height)
        image = read_start_picture(request.init_image, size)
        if not self._checker.check([image], approved.place.level, strict=True)[0].is_safe:
            raise PictureRefused(REFUSED)
        mask = None if request.mask_image is None else read_mask(request.mask_image, size, self._pipeline.factor)
        return StartPicture(image, mask)

    def make_preview(self, approved: ApprovedRequest, latents: torch.Tensor) -> bytes | None:
        """A small JPEG of unfinished latents [4, h, w], or None if the check withholds it."""
        image = self._pipeline.preview(latents)
        strict = approved.verdict.strict_picture
        if not self._checker.check([image], approved.place.level, strict=strict)[0].is_safe:
            return None
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=PREVIEW_QUALITY)
        return buffer.getvalue()

    def make_pictures(
        self, job_id: int, approved: ApprovedRequest, images: Sequence[tuple[int, Image.Image]]
    ) -> tuple[Picture, ...]:
        """Paintings of (seed, picture) pairs; what the check withholds has no file."""
        strict = approved.verdict.strict_picture
        reports = self._checker.check([image for _, image in images], approved.place.level, strict=strict)
        return tuple(
            Picture(
                seed=seed,
                width=image.width,
                height=image.height,
                png=self._png(image, approved.request, seed, job_id) if report.is_safe else None,
                safety=report,
            )
            for (seed, image), report in zip(images, reports, strict=True)
        )

    def _png(self, image: Image.Image, request: Request, seed: int, job_id: int) -> bytes:
        return write_png(image, request, seed, self._identity, job_id)
