"""Requests checked against Discord's official OpenAPI description, where the file is there.

The file is not part of this repository: its path is in DISCORD_OPENAPI, or it lies beside the checkout in
`shared/discord-api-spec/openapi.json`. Without it nothing is checked here (the hand rules always are), and tests that
are about it skip.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[3] / "shared" / "discord-api-spec" / "openapi.json"
BASE = "https://discord.invalid/openapi.json"
KEPT_VERDICTS = 2048
# Keys that discord.py sends and Discord takes, although the description does not name them, and the schemas in which.
KEYS_THE_DESCRIPTION_LACKS = {
    "nsfw": [
        "ApplicationCommandCreateRequest",
        "ApplicationCommandUpdateRequest",
        "ApplicationCommandPatchRequestPartial",
    ],
    "flags": ["RichEmbed"],
    "tts": [
        "MessageEditRequestPartial",
        "IncomingWebhookUpdateRequestPartial",
        "IncomingWebhookUpdateForInteractionCallbackRequestPartial",
    ],
}
# discord.py sends these back as it got them, with everything in them.
SENT_BACK = {
    "MessageAttachmentRequest", "RichEmbedImage", "RichEmbedThumbnail", "RichEmbedAuthor", "RichEmbedFooter",
}  # fmt: skip


class OpenApi:
    """The description, or an empty one that finds nothing wrong."""

    def __init__(self, document: dict[str, Any] | None) -> None:
        self.document = document
        self._paths = [(re.compile(_pattern(path)), path) for path in (document or {}).get("paths", {})]
        # Literal paths before those with placeholders: /users/@me is not /users/{user_id}.
        self._paths.sort(key=lambda pair: pair[1].count("{"))

    @classmethod
    def load(cls) -> OpenApi:
        path = Path(os.environ.get("DISCORD_OPENAPI", FILE))
        return cls(_read(path) if path.is_file() else None)

    @property
    def is_available(self) -> bool:
        return self.document is not None

    def violations(self, method: str, path: str, query: dict[str, str], body: Any) -> Iterator[str]:
        """Each way in which a request breaks the description."""
        if self.document is None:
            return
        template = next((template for pattern, template in self._paths if pattern.fullmatch(path)), None)
        operation = self.document["paths"][template].get(method.lower()) if template else None
        if operation is None:
            yield "no such operation in the description"
            return
        yield from self._query_violations(template or "", operation, query)
        if body and "application/json" in operation.get("requestBody", {}).get("content", {}):
            content = f"/paths/{_escape(template or '')}/{method.lower()}/requestBody/content/"
            yield from _body_violations(
                id(self.document), f"{content}{_escape('application/json')}/schema", json.dumps(body)
            )

    def _query_violations(self, template: str, operation: dict[str, Any], query: dict[str, str]) -> Iterator[str]:
        assert self.document is not None
        parameters = operation.get("parameters", []) + self.document["paths"][template].get("parameters", [])
        known = {one.get("name") for one in parameters if one.get("in") == "query"}
        for name in query:
            if name not in known:
                yield f"unknown query parameter {name}"


@lru_cache(maxsize=KEPT_VERDICTS)
def _body_violations(key: int, pointer: str, body: str) -> tuple[str, ...]:
    """What is wrong with a JSON body by the schema at `pointer`.

    Kept for later servers of this process: a bot registers its hundred commands again at every start, and to judge
    those takes a second.
    """
    return tuple(_deepest(error) for error in _validator(key, pointer).iter_errors(json.loads(body)))


@cache
def _validator(key: int, pointer: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator({"$ref": f"{BASE}#{pointer}"}, registry=_registry(key))


def _deepest(error: Any) -> str:
    """The most telling message of a union: that of the branch whose `type` fits, or else which got furthest."""
    while error.context:
        branches: dict[Any, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.relative_schema_path[0], []).append(inner)
        fitting = min(branches.values(), key=lambda errors: (any(_is_about_type(one) for one in errors), len(errors)))
        error = max(fitting, key=lambda inner: len(inner.absolute_path))
    where = "/".join(str(part) for part in error.absolute_path)
    return f"{where or 'body'}: {error.message[:300]}"


def _is_about_type(error: Any) -> bool:
    """Whether the branch is for another kind of thing: its `type` is another one, or it is null."""
    is_type_key = bool(error.relative_path) and error.relative_path[-1] == "type"
    return (is_type_key and error.validator in ("enum", "const")) or error.validator == "type"


_documents: dict[int, dict[str, Any]] = {}


@cache
def _read(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    # discord.py sends ids in lists of attachments and references as numbers, which Discord accepts.
    document["components"]["schemas"]["SnowflakeType"] = {
        "anyOf": [{"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}, {"type": "integer", "minimum": 0}]
    }
    _close(document["components"]["schemas"])
    _documents[id(document)] = document
    return document


def _close(schemas: dict[str, Any]) -> None:
    """Let plain objects have no keys but those described: the description leaves them open, Discord ignores typos."""
    for key, names in KEYS_THE_DESCRIPTION_LACKS.items():
        for name in names:
            schemas[name]["properties"][key] = {}
    for name, schema in schemas.items():
        is_plain = schema.get("type") == "object" and "properties" in schema and "allOf" not in schema
        if is_plain and name not in SENT_BACK:
            schema.setdefault("additionalProperties", False)


@cache
def _registry(key: int) -> Any:
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    return Registry().with_resource(BASE, Resource(_documents[key], DRAFT202012))


def _pattern(path: str) -> str:
    return re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))


def _escape(part: str) -> str:
    from urllib.parse import quote

    return quote(part.replace("~", "~0").replace("/", "~1"), safe="~@")
