"""The fields of a form as a client fills them in: what was given or what they showed before, and what it refuses."""

from __future__ import annotations

from typing import Any

from sandbox.people.refused import Refused
from sandbox.world.layout import CHECKBOX_GROUP
from sandbox.world.things import Json

File = tuple[str, bytes]


def text(field: Json, given: Any) -> str:
    """What is in a text field."""
    written = str(field.get("value") or "") if given is None else str(given)
    low, high = field.get("min_length") or 0, field.get("max_length") or 4000
    if _is_required(field):
        low = max(low, 1)
    if (written and len(written) < low) or (not written and _is_required(field)) or len(written) > high:
        raise Refused(f"{field['custom_id']} takes {low} to {high} characters, not {len(written)}")
    return written


def chosen(field: Json, given: Any) -> list[str]:
    """What is chosen in a menu or a group of checkboxes, as values or ids."""
    if given is None:
        values = [one["value"] for one in field.get("options") or [] if one.get("default")]
        values += [str(one["id"]) for one in field.get("default_values") or []]
    else:
        values = [str(one) for one in (given if isinstance(given, list | tuple) else [given])]
    _require_offered(field, values)
    _require_count(field, len(values))
    return values


def picked(field: Json, given: Any) -> str | None:
    """The one value of a radio group."""
    value = given
    if given is None:
        value = next((one["value"] for one in field["options"] if one.get("default")), None)
    if value is None:
        if _is_required(field):
            raise Refused(f"{field['custom_id']} needs a choice")
        return None
    _require_offered(field, [str(value)])
    return str(value)


def ticked(field: Json, given: Any) -> bool:
    """Whether a checkbox is on."""
    if given is not None and not isinstance(given, bool):
        raise Refused(f"{field['custom_id']} is on or off, not {given!r}")
    return bool(field.get("default")) if given is None else given


def files(field: Json, given: Any, max_bytes: int) -> list[File]:
    """The files of a file upload: one `(name, bytes)` or a list of them."""
    uploads: list[File] = [given] if isinstance(given, tuple) else list(given or [])
    _require_count(field, len(uploads))
    for name, data in uploads:
        if len(data) > max_bytes:
            raise Refused(f"{name} is larger than the {max_bytes} bytes that may be uploaded")
    return uploads


def _require_offered(field: Json, values: list[str]) -> None:
    known = [one["value"] for one in field.get("options") or []]
    if known and any(value not in known for value in values):
        raise Refused(f"{field['custom_id']} offers {known}")


def _require_count(field: Json, count: int) -> None:
    """Whether the number is allowed. An optional field may be left alone, whatever its least number."""
    low, high = field.get("min_values"), field.get("max_values")
    low = 1 if low is None else low
    if high is None:
        high = len(field["options"]) if field["type"] == CHECKBOX_GROUP else 1
    may_be_left = not _is_required(field) and not count
    if count < low and not may_be_left:
        raise Refused(f"{field['custom_id']} needs a choice: at least {low}, not {count}")
    if count > high:
        raise Refused(f"{field['custom_id']} takes at most {high}, not {count}")


def _is_required(field: Json) -> bool:
    """Fields are required unless they say no; discord.py sends null for what was left to Discord."""
    return field.get("required") is not False
