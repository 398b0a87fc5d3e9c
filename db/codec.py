"""Domain values to and from the JSON that the tables hold. Picture files never go through JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from domain import JobSource, ModelIdentity, Origin, Place, Request

_BLOBS = ("init_image", "mask_image")
_TUPLES = {"guidance_interval", "left_out"}


def encode_request(request: Request) -> str:
    """The request as JSON, without its picture files."""
    fields = asdict(request)
    for name in _BLOBS:
        del fields[name]
    return json.dumps(fields, ensure_ascii=False)


def decode_request(text: str, init_image: bytes | None = None, mask_image: bytes | None = None) -> Request:
    fields: dict[str, Any] = json.loads(text)
    for name in _TUPLES & fields.keys():
        fields[name] = tuple(fields[name])
    return Request(**fields, init_image=init_image, mask_image=mask_image)


def encode_origin(origin: Origin) -> str:
    return json.dumps(asdict(origin))


def decode_origin(text: str) -> Origin:
    fields: dict[str, Any] = json.loads(text)
    fields["place"] = Place(**fields["place"])
    fields["role_ids"] = tuple(fields["role_ids"])
    fields["source"] = JobSource(fields["source"])
    return Origin(**fields)


def encode_model(model: ModelIdentity) -> str:
    return json.dumps(asdict(model))


def decode_model(text: str | None) -> ModelIdentity | None:
    return ModelIdentity(**json.loads(text)) if text else None


def to_datetime(seconds: float) -> datetime:
    """Unix seconds to an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def to_optional_seconds(moment: datetime | None) -> float | None:
    """An aware datetime to Unix seconds; None stays None."""
    return None if moment is None else to_seconds(moment)


def to_seconds(moment: datetime) -> float:
    """An aware datetime to Unix seconds."""
    return moment.timestamp()
