"""Init images and masks that members attach: read and checked on the postprocess thread, encoded on the GPU thread."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image

from domain import ApprovedRequest, PictureRefused
from engine.request.init_image import read_init_image, read_mask
from engine.safety import SafetyChecker
from engine.sampling.pipeline import Pipeline
from engine.sampling.sample import InitLatents

REFUSED = "The start picture did not pass the picture check, so it can't be used."


@dataclass(frozen=True, slots=True)
class InitImage:
    """An init image and its mask that may be used: decoded, of the request's size, released by the safety checker."""

    image: Image.Image
    mask: torch.Tensor | None = None

    def encode(self, pipeline: Pipeline) -> InitLatents:
        """Its latents. Only for the GPU thread."""
        mask = None if self.mask is None else self.mask.to(pipeline.device)
        return InitLatents(pipeline.encode_image(self.image), mask)


def read_checked(approved: ApprovedRequest, data: bytes, checker: SafetyChecker, factor: int) -> InitImage:
    """Decode and check the init image `data` (an encoded file) of a request. Raises PictureRefused.

    A mask becomes [1, height / factor, width / factor]: the VAE's latents are `factor` times smaller than the picture.
    """
    request = approved.request
    size = (request.width, request.height)
    image = read_init_image(data, size)
    if not checker.check([image], approved.place.level, strict=True)[0].is_safe:
        raise PictureRefused(REFUSED)
    return InitImage(image, None if request.mask_image is None else read_mask(request.mask_image, size, factor))
