"""What stands in a form that an interaction opened."""

from __future__ import annotations

from sandbox.world.layout import RADIO_GROUP, STRING_SELECT, TEXT_INPUT
from sandbox.world.things import Interaction, Json


def form_of(opened: Interaction) -> dict[str, str]:
    """The fields of a form with what stands or is chosen in them, by custom_id; files are left out."""
    return {one["custom_id"]: _value(one) for one in fields_in(opened) if one["type"] in (*_CHOICES, TEXT_INPUT)}


def words_of(opened: Interaction) -> dict[str, str]:
    """The text fields alone."""
    return {one["custom_id"]: _value(one) for one in fields_in(opened) if one["type"] == TEXT_INPUT}


def fields_in(opened: Interaction) -> list[Json]:
    """A form's fields, from the top."""
    assert opened.modal is not None
    return [one["component"] for one in opened.modal["components"]]


def options_of(opened: Interaction, custom_id: str) -> list[str]:
    """The values that a menu or radio buttons offer."""
    return [one["value"] for field in fields_in(opened) if field["custom_id"] == custom_id for one in field["options"]]


_CHOICES = (STRING_SELECT, RADIO_GROUP)


def _value(field: Json) -> str:
    if field["type"] == TEXT_INPUT:
        return field.get("value", "")
    return next((one["value"] for one in field["options"] if one.get("default")), "")
