"""What stands in the fields of the form for a picture."""

from __future__ import annotations

from domain.frozen import frozen

NO_PRESET = "none"


@frozen
class FormFields:
    """Settings as a form shows them and sends them back, everything as text.

    `size` is `512x768`, `scheduler` one of the model's names, `preset` a name or `NO_PRESET`; `numbers` is a line such
    as `Steps: 20, Guidance: 7.5, Seed: 5`, which people change as they like.
    """

    size: str
    images: str
    preset: str
    scheduler: str
    numbers: str
