"""What stands in a form that an interaction opened."""

from __future__ import annotations

from sandbox.world.layout import TEXT_INPUT
from sandbox.world.things import Interaction


def form_of(opened: Interaction) -> dict[str, str]:
    """The text fields of a form with what stands in them, by custom_id."""
    assert opened.modal is not None
    fields = [one["component"] for one in opened.modal["components"] if one["component"]["type"] == TEXT_INPUT]
    return {one["custom_id"]: one.get("value", "") for one in fields}
