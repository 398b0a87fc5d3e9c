"""What becomes of images after the VAE: safety check, PNG files with metadata, previews.

Nothing leaves this module that the safety checker has not released.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from PIL import Image

from domain import ApprovedRequest, ModelIdentity, Picture
from engine.images.metadata import write_png
from engine.safety import SafetyChecker
from engine.sampling.pipeline import Pipeline
from engine.worker.init_image import InitImage, read_checked

PREVIEW_QUALITY = 80


class Postprocessor:
    """The safety checker with what is made of the images that it releases. Only for the postprocess thread.

    `identity` is the model that painted.
    """

    def __init__(self, pipeline: Pipeline, checker: SafetyChecker, identity: ModelIdentity) -> None:
        self._pipeline = pipeline
        self._checker = checker
        self.identity = identity

    def read_init_image(self, approved: ApprovedRequest, data: bytes) -> InitImage:
        """Decode and check an init image that came as an encoded file. Raises PictureRefused."""
        return read_checked(approved, data, self._checker, self._pipeline.factor)

    def make_preview(self, approved: ApprovedRequest, latents: torch.Tensor) -> bytes | None:
        """A small JPEG of unfinished latents [4, h, w], or None if the safety checker withholds it."""
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
        """Pictures of (seed, image) pairs; what the safety checker withholds has no file."""
        strict = approved.verdict.strict_picture
        reports = self._checker.check([image for _, image in images], approved.place.level, strict=strict)
        return tuple(
            Picture(
                seed=seed,
                width=image.width,
                height=image.height,
                png=write_png(image, approved.request, seed, self.identity, job_id) if report.is_safe else None,
                safety=report,
            )
            for (seed, image), report in zip(images, reports, strict=True)
        )
