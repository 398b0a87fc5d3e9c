"""The published checkpoint files that this bot knows: where they are, and the SHA-256 that each must have.

Source of the hashes: several public model lists, which agree.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the model hub and the SHA-256 that it must have."""

    repository: str
    filename: str
    sha256: str


_WD13 = "hakurei/waifu-diffusion-v1-3"
FILES = {
    "wd-v1-3-float16": HubFile(
        _WD13, "wd-v1-3-float16.ckpt", "4afab9126057859b34d13d6207d90221d0b017b7580469ea70cee37757a29edd"
    ),
    "wd-v1-3-float32": HubFile(
        _WD13, "wd-v1-3-float32.ckpt", "9dade826203c7ee369881b5dc20d34298fa644c1f137568e09fbc4b9a0d3e817"
    ),
    "wd-v1-3-full": HubFile(
        _WD13, "wd-v1-3-full.ckpt", "23ba8d0411c211d3d14903d46613bc088924e1453ed1c6428ce86bde54a37d27"
    ),
    "wd-v1-3-full-opt": HubFile(
        _WD13, "wd-v1-3-full-opt.ckpt", "10912b9a6d773ea7c299c0563d10538ada04ade81837362b6c0c67be4df937c1"
    ),
}
KNOWN_NAMES = {
    FILES["wd-v1-3-float16"].sha256: "Waifu Diffusion v1.3 (float16)",
    FILES["wd-v1-3-float32"].sha256: "Waifu Diffusion v1.3 (float32)",
    FILES["wd-v1-3-full"].sha256: "Waifu Diffusion v1.3 (full)",
    FILES["wd-v1-3-full-opt"].sha256: "Waifu Diffusion v1.3 (full with optimizer)",
    "fe4efff1e174c627256e44ec2991ba279b3816e364b49f9be2abc0b3ff3f8556": "Stable Diffusion 1.4",
}
"""SHA-256 of a published file → the name that the bot shows."""


def hub_name(model: str) -> str | None:
    """The published name that `model` means, with or without `.ckpt`; None for anything else."""
    name = model.removesuffix(".ckpt")
    return name if name in FILES else None
