"""The picture check: every picture before anybody sees it. It fails closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from domain import SafetyLevel, SafetyReport


class SafetyChecker(Protocol):
    """Judges pictures; never raises: an error is a report with the verdict "error", which counts as unsafe."""

    def check(
        self, images: Sequence[Image.Image], level: SafetyLevel, *, strict: bool = False
    ) -> list[SafetyReport]: ...
