"""The ledger under random histories: the SQL always agrees with a plain model, and credit is never spent twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import aiosqlite
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import jobs, ledger, quotas
from db.database import SCHEMA
from domain import JobStatus, Origin, Outcome, OutcomeCode, Place, Request
from domain.quotas import DAY, HOUR, Asker, QuotaDefaults, QuotaKind, QuotaRule, QuotaSubject
from tests.support.results import make_picture, make_result

Value = TypeVar("Value")

START = datetime(2026, 1, 1, tzinfo=UTC)
GUILD, ROLE = 10, 20
CHANNELS = (31, 32)
DEFAULTS = QuotaDefaults(per_hour=10, per_day=25, max_jobs=4)
REQUEST = Request(
    prompt="1girl", width=64, height=64, num_inference_steps=5, guidance_scale=7.0, scheduler="ddim", seed=1
)
# Where the three askers ask from: two members of a server (one with a role), and the first one in direct messages.
ORIGINS = (
    Origin(user_id=1, place=Place(guild_id=GUILD, channel_id=CHANNELS[0]), role_ids=(ROLE,)),
    Origin(user_id=2, place=Place(guild_id=GUILD, channel_id=CHANNELS[1])),
    Origin(user_id=1, place=Place(channel_id=40)),
)
SUBJECTS = (
    QuotaSubject(QuotaKind.MEMBER, 1),
    QuotaSubject(QuotaKind.MEMBER, 2),
    QuotaSubject(QuotaKind.ROLE, ROLE),
    QuotaSubject(QuotaKind.CHANNEL, CHANNELS[0]),
    QuotaSubject(QuotaKind.EVERYONE),
)


class SyncConnection:
    """A real SQLite connection behind aiosqlite's method names, so that the real functions run without a loop."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def execute(self, sql: str, values: Mapping[str, Any] | Iterable[Any] = ()) -> None:
        self.connection.execute(sql, values)  # pyright: ignore[reportArgumentType]

    async def executemany(self, sql: str, rows: Iterable[Any]) -> None:
        self.connection.executemany(sql, rows)

    async def execute_fetchall(self, sql: str, values: Mapping[str, Any] | Iterable[Any] = ()) -> list[sqlite3.Row]:
        return self.connection.execute(sql, values).fetchall()  # pyright: ignore[reportArgumentType]


def run(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waited for something")


@pytest.fixture(scope="module")
def memory() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
    connection.row_factory = sqlite3.Row
    for script in sorted(SCHEMA.glob("*.sql")):
        connection.executescript(script.read_text(encoding="utf-8"))
    yield connection
    connection.close()


# ---- the plain model -------------------------------------------------------------------------------------------------


@dataclass
class Spend:
    """One accepted request: what it took from where, and what came back."""

    asker: int
    images: int
    spent_at: datetime
    parts: dict[int | None, int]  # grant (None: allowance) → amount still spent
    is_open: bool = True
    is_forgiven: bool = False
    is_forgiven_by_role: bool = False
    first_parts: dict[int | None, int] = field(default_factory=dict[int | None, int])


@dataclass
class Grant:
    subject: QuotaSubject
    amount: int
    expires_at: datetime | None


@dataclass
class Model:
    """What the rules say, written without SQL."""

    now: datetime = START
    spends: dict[int, Spend] = field(default_factory=dict[int, Spend])
    grants: dict[int, Grant] = field(default_factory=dict[int, Grant])
    rules: dict[QuotaSubject, tuple[int | None, int | None, int | None, datetime | None]] = field(
        default_factory=dict[QuotaSubject, tuple[int | None, int | None, int | None, datetime | None]]
    )

    def rule_value(self, asker: int, index: int) -> int | None:
        """The value that a rule of the server decides for this asker, or None."""
        if asker == 2:
            return None
        for level in (QuotaKind.MEMBER, QuotaKind.ROLE, QuotaKind.CHANNEL, QuotaKind.EVERYONE):
            values = [
                cast("int | None", rule[index])
                for subject, rule in self.rules.items()
                if subject.kind is level and applies(subject, asker) and (rule[3] is None or rule[3] > self.now)
            ]
            known = [value for value in values if value is not None]
            if known:
                return max(known)
        return None

    def used(self, asker: int, window: timedelta, index: int) -> int:
        here_only = self.rule_value(asker, index) is not None
        return sum(
            spend.parts.get(None, 0)
            for spend in self.spends.values()
            if same_user(spend.asker, asker)
            and spend.spent_at > self.now - window
            and not spend.is_forgiven
            and not (spend.is_forgiven_by_role and ROLE in ORIGINS[asker].role_ids)
            and (not here_only or same_guild(spend.asker, asker))
        )

    def allowance(self, asker: int) -> int:
        per_hour, per_day = self.rule_value(asker, 0), self.rule_value(asker, 1)
        hour = (DEFAULTS.per_hour if per_hour is None else per_hour) - self.used(asker, HOUR, 0)
        day = (DEFAULTS.per_day if per_day is None else per_day) - self.used(asker, DAY, 1)
        return max(min(hour, day), 0)

    def purses(self, asker: int) -> list[tuple[int, int]]:
        """Grant and what is left of it for this asker, soonest to expire first."""
        mine = [
            (number, grant)
            for number, grant in self.grants.items()
            if asker != 2
            and applies(grant.subject, asker)
            and (grant.expires_at is None or grant.expires_at > self.now)
        ]
        mine.sort(key=lambda item: (item[1].expires_at or datetime.max.replace(tzinfo=UTC), item[0]))
        return [(number, grant.amount - self._taken(number, asker)) for number, grant in mine]

    def _taken(self, number: int, asker: int) -> int:
        return sum(spend.parts.get(number, 0) for spend in self.spends.values() if same_user(spend.asker, asker))

    def extra(self, asker: int) -> int:
        return sum(left for _, left in self.purses(asker))

    def has_room(self, asker: int) -> bool:
        most = self.rule_value(asker, 2)
        open_jobs = sum(
            1
            for spend in self.spends.values()
            if spend.is_open and same_user(spend.asker, asker) and (most is None or same_guild(spend.asker, asker))
        )
        return open_jobs < (DEFAULTS.max_jobs if most is None else most)

    def pay(self, asker: int, cost: int) -> dict[int | None, int]:
        parts: dict[int | None, int] = {}
        first = min(cost, self.allowance(asker))
        if first:
            parts[None] = first
        for number, left in self.purses(asker):
            take = min(left, cost - sum(parts.values()))
            if take > 0:
                parts[number] = take
        return parts


def applies(subject: QuotaSubject, asker: int) -> bool:
    origin = ORIGINS[asker]
    return (
        subject == QuotaSubject(QuotaKind.EVERYONE)
        or subject == QuotaSubject(QuotaKind.MEMBER, origin.user_id)
        or (subject.kind is QuotaKind.ROLE and subject.id in origin.role_ids)
        or subject == QuotaSubject(QuotaKind.CHANNEL, origin.place.channel_id)
    )


def same_user(one: int, other: int) -> bool:
    return ORIGINS[one].user_id == ORIGINS[other].user_id


def same_guild(one: int, other: int) -> bool:
    return ORIGINS[one].place.guild_id == ORIGINS[other].place.guild_id


# ---- one history -----------------------------------------------------------------------------------------------------


class History:
    """Plays operations, drawn from bytes, on the database and on the model, and compares them after each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = cast("aiosqlite.Connection", SyncConnection(connection))
        self.model = Model()

    def play(self, plan: bytes) -> None:
        operations = (self.spend, self.spend, self.spend, self.end, self.finish, self.grant, self.reset, self.rule)
        for first, second in zip(plan[::2], plan[1::2], strict=False):
            operations[first % 8](first // 8, second)
            self.model.now += timedelta(minutes=(0, 0, 0, 0, 7, 31, 61, 1441)[second % 8])
            self.compare(first % 3)

    def compare(self, asker: int) -> None:
        standing = run(quotas.fetch_standing(self.connection, Asker.of(ORIGINS[asker]), DEFAULTS, self.model.now))
        assert standing.allowance == self.model.allowance(asker)
        assert standing.extra == self.model.extra(asker)
        assert standing.extra >= 0
        assert standing.used_hour == sum(amount for _, amount in standing.hour_spends)

    def spend(self, choice: int, size: int) -> None:
        asker, images = choice % 3, 1 + size % 3
        cost = images * (1 + size // 3 % 4)
        left = self.model.allowance(asker) + self.model.extra(asker)
        expected = cost <= left and self.model.has_room(asker)
        job_id = run(
            jobs.enqueue(
                self.connection,
                replace(REQUEST, images=images),
                ORIGINS[asker],
                self.model.now,
                cost=cost,
                defaults=DEFAULTS,
                max_queue=1000,
            )
        )
        assert (job_id is not None) == expected
        if job_id is not None:
            parts = self.model.pay(asker, cost)
            self.model.spends[job_id] = Spend(asker, images, self.model.now, parts, first_parts=dict(parts))
            assert self.model.allowance(asker) + self.model.extra(asker) == left - cost

    def end(self, choice: int, which: int) -> None:
        status = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.WITHHELD, JobStatus.REFUSED)[which % 4]
        job_id = self._job(choice)
        if job_id is None:
            return
        was_open = self.model.spends[job_id].is_open
        assert run(jobs.end(self.connection, job_id, status, Outcome(OutcomeCode.FAILED), self.model.now)) == was_open
        if was_open:
            self.model.spends[job_id].is_open = False
            self.model.spends[job_id].parts = {}

    def finish(self, choice: int, withheld: int) -> None:
        job_id = self._job(choice)
        if job_id is None:
            return
        spend = self.model.spends[job_id]
        bad = withheld % (spend.images + 1)
        pictures = (make_picture(is_safe=position >= bad) for position in range(spend.images))
        result = make_result(job_id, replace(REQUEST, images=spend.images), *pictures)
        assert run(jobs.finish(self.connection, result, self.model.now, {})) == spend.is_open
        if spend.is_open:
            spend.is_open = False
            shares = {part: amount // spend.images for part, amount in spend.first_parts.items()}
            is_lost = bad == spend.images
            spend.parts = {part: 0 if is_lost else amount - bad * shares[part] for part, amount in spend.parts.items()}

    def grant(self, choice: int, amount: int) -> None:
        subject = SUBJECTS[choice % len(SUBJECTS)]
        expires_at = self.model.now + timedelta(minutes=50) if amount % 2 else None
        number = run(
            ledger.grant(
                self.connection,
                GUILD,
                subject,
                1 + amount % 9,
                99,
                self.model.now,
                reason="test",
                expires_at=expires_at,
            )
        )
        self.model.grants[number] = Grant(subject, 1 + amount % 9, expires_at)

    def reset(self, choice: int, _: int) -> None:
        subject = SUBJECTS[choice % len(SUBJECTS)]
        run(ledger.reset(self.connection, GUILD, subject, 99, self.model.now, reason="test"))
        for spend in self.model.spends.values():
            if spend.asker == 2 or not applies(subject, spend.asker):
                continue
            if subject.kind is QuotaKind.ROLE:  # in direct messages nobody knows who has which role
                spend.is_forgiven_by_role = True
            else:
                spend.is_forgiven = True

    def rule(self, choice: int, values: int) -> None:
        subject = SUBJECTS[choice % len(SUBJECTS)]
        if values % 5 == 0:
            run(quotas.remove_rule(self.connection, GUILD, subject, 99, self.model.now))
            self.model.rules.pop(subject, None)
            return
        given = (
            values % 12 if values % 3 else None,
            values % 30 if values % 2 else None,
            values % 4 if values % 7 == 0 else None,
        )
        expires_at = self.model.now + timedelta(minutes=90) if values % 11 == 0 else None
        rule = QuotaRule(
            guild_id=GUILD,
            subject=subject,
            per_hour=given[0],
            per_day=given[1],
            max_jobs=given[2],
            actor_id=99,
            set_at=self.model.now,
            expires_at=expires_at,
        )
        run(quotas.set_rule(self.connection, rule))
        old = self.model.rules.get(subject)
        if old is None or (old[3] is not None and old[3] <= self.model.now):
            old = (None, None, None, None)
        merged = [kept if new is None else new for kept, new in zip(old[:3], given, strict=True)]
        self.model.rules[subject] = (merged[0], merged[1], merged[2], expires_at)

    def _job(self, choice: int) -> int | None:
        known = list(self.model.spends)
        return known[-1 - choice % len(known)] if known else None


@pytest.mark.slow
@settings(
    max_examples=10_000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=st.binary(min_size=4, max_size=28))
def test_no_history_makes_a_balance_wrong_or_spends_a_credit_twice(memory: sqlite3.Connection, plan: bytes) -> None:
    memory.execute("BEGIN")
    try:
        History(memory).play(plan)
    finally:
        memory.execute("ROLLBACK")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET amount = 1",
        "UPDATE ledger SET reason = 'another'",
        "UPDATE ledger SET subject_id = 77",
        "DELETE FROM ledger",
    ],
)
def test_the_ledger_only_grows(memory: sqlite3.Connection, statement: str) -> None:
    memory.execute("BEGIN")
    try:
        connection = cast("aiosqlite.Connection", SyncConnection(memory))
        run(ledger.grant(connection, GUILD, QuotaSubject(QuotaKind.MEMBER, 1), 5, 99, START, reason="test"))
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            memory.execute(statement)
        memory.execute("UPDATE ledger SET subject_id = NULL, actor_id = NULL, reason = ''")
    finally:
        memory.execute("ROLLBACK")
