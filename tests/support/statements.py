"""Every statement of db/, as it is really sent: each public function called with plausible values on a real database.

A recording of the connections says which statement came from which line, so that a test can see that no place in db/
which sends SQL was left out.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import sqlite3
import sys
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiosqlite

import db
from db.database import Database
from domain import (
    Action,
    JobStatus,
    ModelIdentity,
    Origin,
    Outcome,
    OutcomeCode,
    Picture,
    Request,
    Result,
    SafetyReport,
    SafetyVerdict,
    Verdict,
)
from domain.audit import AuditAction
from domain.cases import CaseKind, CaseStatus
from domain.challenges import ChallengeEntry
from domain.prompt_channels import PromptChannel, PromptMessage, PromptStatus
from domain.quotas import Asker, QuotaDefaults, QuotaKind, QuotaRule, QuotaSubject
from domain.settings import GuildSettings
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW, ORIGIN, REQUEST

FOLDER = Path(db.__file__).parent
# These send PRAGMA and transaction statements only.
PLUMBING = {
    "database.py",
    "integrity.py",
    "auto_vacuum.py",
    "space.py",
    "backup.py",
    "ids.py",
    "lock.py",
    "opening.py",
    "files.py",
    "connections.py",
    "copies.py",
    "picture_folder.py",
    "picture_backup.py",
}
SENDERS = {"execute", "executemany", "execute_fetchall", "fetch_all", "fetch_one", "find_one", "_rows"}

SUBJECT = QuotaSubject(QuotaKind.MEMBER, MEMBER)
SAFE = SafetyReport(verdict=SafetyVerdict.SAFE)
VALUES: dict[Any, Any] = {
    bool: True,
    str: "x",
    float: 1.0,
    bytes: b"x",
    datetime: NOW,
    timedelta: timedelta(days=1),
    Request: REQUEST,
    Origin: ORIGIN,
    Verdict: Verdict(action=Action.REFUSE, clause="adult"),
    SafetyReport: SAFE,
    Result: Result(
        job_id=1,
        request=REQUEST,
        model=ModelIdentity(name="tiny", sha256="00"),
        pictures=(Picture(seed=7, width=64, height=64, png=b"png", safety=SAFE),),
        seconds=1.0,
    ),
    Outcome: Outcome(OutcomeCode.CANCELLED, ""),
    JobStatus: JobStatus.CANCELLED,
    AuditAction: AuditAction.QUOTA_SET,
    CaseKind: CaseKind.APPEAL,
    CaseStatus: CaseStatus.UPHELD,
    Asker: Asker.of(ORIGIN),
    QuotaDefaults: QuotaDefaults(per_hour=60_000, per_day=600_000, max_jobs=10),
    QuotaSubject: SUBJECT,
    QuotaRule: QuotaRule(
        guild_id=GUILD, subject=SUBJECT, per_hour=1, reason="x", actor_id=MODERATOR, set_at=NOW, expires_at=None
    ),
    GuildSettings: GuildSettings(strike_free_refusals=0),
    PromptChannel: PromptChannel(channel_id=CHANNEL, guild_id=GUILD, opened_by=MODERATOR),
    PromptMessage: PromptMessage(
        message_id=MEMBER + 1,
        channel_id=CHANNEL,
        guild_id=GUILD,
        user_id=MEMBER,
        job_id=1,
        reply_id=None,
        status=PromptStatus.TAKEN,
    ),
    ChallengeEntry: ChallengeEntry(
        id=1, challenge_id=1, number=1, user_id=MEMBER, job_id=1, message_id=None, votes=None, is_winner=False
    ),
}
IDS = {"guild_id": GUILD, "channel_id": CHANNEL, "user_id": MEMBER, "actor_id": MODERATOR, "limit": 10}


@dataclass(slots=True)
class Recording:
    """Statements with values that were sent with them, how many were sent, and the lines (file name, number) in db/."""

    sent: int = 0
    statements: dict[str, Any] = field(default_factory=dict[str, Any])
    sites: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def add(self, sql: str, values: Any) -> None:
        """Note a statement if anything of db/ sent it; a test's own does not count."""
        frame: types.FrameType | None = sys._getframe(2)
        sites: set[tuple[str, int]] = set()
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.parent == FOLDER and path.name not in PLUMBING:
                sites.add((path.name, frame.f_lineno))
            frame = frame.f_back
        if sites:
            self.sent += 1
            self.sites |= sites
            self.statements.setdefault(" ".join(sql.split()), values)


@contextmanager
def recorded() -> Iterator[Recording]:
    """Record what all connections are sent."""
    recording = Recording()
    originals = {name: getattr(aiosqlite.Connection, name) for name in ("execute", "executemany", "execute_fetchall")}

    def watch(name: str) -> Callable[..., Any]:
        def send(self: aiosqlite.Connection, sql: str, values: Any = ()) -> Any:
            if name == "executemany":
                values = list(values)
            recording.add(sql, next(iter(values), ()) if name == "executemany" else values)
            return originals[name](self, sql, values)

        return send

    for name in originals:
        setattr(aiosqlite.Connection, name, watch(name))
    try:
        yield recording
    finally:
        for name, original in originals.items():
            setattr(aiosqlite.Connection, name, original)


def sending_places() -> dict[tuple[str, int], int]:
    """(file name, first line) → last line of every call in db/ that sends a statement."""
    found: dict[tuple[str, int], int] = {}
    for path in sorted(FOLDER.glob("*.py")):
        if path.name in PLUMBING:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name_of(node.func) in SENDERS:
                found[path.name, node.lineno] = node.end_lineno or node.lineno
    return found


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def public_functions() -> list[Callable[..., Awaitable[Any]]]:
    """Every public coroutine function of db/."""
    found: list[Callable[..., Awaitable[Any]]] = []
    for path in sorted(FOLDER.glob("*.py")):
        if path.name in PLUMBING:
            continue
        module = importlib.import_module(f"db.{path.stem}")
        found += [
            value
            for name, value in vars(module).items()
            if not name.startswith("_") and inspect.iscoroutinefunction(value) and value.__module__ == module.__name__
        ]
    return found


class _Undo(Exception):
    """Ends a transaction without a trace."""


async def call(function: Callable[..., Awaitable[Any]], database: Database, *, with_options: bool) -> None:
    """Call it with plausible values, in a transaction that leaves no trace if it takes a connection."""
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters
    async with _connection(database, hints.values()) as connection:
        given = {
            name: _value(name, hints.get(name, Any), database, connection)
            for name, parameter in parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD and (with_options or parameter.default is parameter.empty)
        }
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            given.pop("channel_id", None)
            given["max_images"] = 3
        # What was sent before the refusal is recorded.
        with contextlib.suppress(sqlite3.IntegrityError, LookupError, AssertionError):
            await function(**given)


@asynccontextmanager
async def _connection(database: Database, hints: typing.Iterable[Any]) -> AsyncIterator[aiosqlite.Connection | None]:
    if aiosqlite.Connection not in hints:
        yield None
        return
    try:
        async with database.transaction() as connection:
            yield connection
            raise _Undo
    except _Undo:
        pass


def _value(name: str, hint: Any, database: Database, connection: aiosqlite.Connection | None) -> Any:
    if hint is aiosqlite.Connection:
        return connection
    options = [one for one in typing.get_args(hint) if one is not type(None)] if _is_union(hint) else [hint]
    if Database in options:
        return database
    kind = options[0]
    if kind is int:
        return IDS.get(name, 1)
    if name == "target":
        return f"member:{MEMBER}"
    if typing.get_origin(kind) is tuple or typing.get_origin(kind) is Sequence:
        return _sequence(typing.get_args(kind)[0])
    if typing.get_origin(kind) is not None:  # a mapping
        return {}
    return VALUES[kind]


def _sequence(item: Any) -> Any:
    return ((0, b"12345678"),) if typing.get_origin(item) is tuple else (1,) if item is int else ("x",)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
