"""Parts of a picture that have a name, for painting only there."""

from __future__ import annotations

from enum import StrEnum


class Region(StrEnum):
    """Nine overlapping parts, and everything but the one in the centre. Buttons keep these names: never change one."""

    TOP_LEFT = "top-left"
    TOP = "top"
    TOP_RIGHT = "top-right"
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom-right"
    BACKGROUND = "background"

    @property
    def label(self) -> str:
        """As people read it: "Top left"."""
        return self.replace("-", " ").capitalize()
