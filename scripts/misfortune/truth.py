"""Whether the messages of finished jobs say what is stored: sizes, seeds, parents, credits, and what was deleted."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from domain.quotas import credits_in_words
from engine.images.metadata import read_png
from sandbox.people import labels_of, media_of
from sandbox.server import LoopbackDiscord
from sandbox.world.things import Message
from scripts.misfortune.verdict import buttons_of, read_state
from tests.support.cards import fields_of, text_of

# The tiny model's pictures are shown at twice their size, and the message says so (ModelProfile.display_scale).
SHOWN_TIMES = 2
MEANT = re.compile(r"The buttons mean (?:picture \*\*(?P<number>\d)\*\* of|\*\*(?P<all>all)) (?P<total>\d)")
PARENT = re.compile(r"(?:From picture (\d) of|Made from) (?:\[this message\]\(\S*/(\d+)\)|picture (\d+))")


@dataclass(frozen=True, slots=True)
class Kept:
    """One picture row: its number from 1, its size in pixels, and whether its file is still stored."""

    number: int
    seed: int
    width: int
    height: int
    is_stored: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One finished job and its pictures."""

    id: int
    message_id: int | None
    parent_message_id: int | None
    parent_id: int | None
    parent_number: int | None
    request: dict[str, Any]
    cost: int
    pictures: tuple[Kept, ...]

    @property
    def shown(self) -> list[Kept]:
        return [one for one in self.pictures if one.is_stored]


def outcomes(database: Path) -> dict[str, int]:
    """How many jobs there are of each source, and how many pictures were deleted."""
    with closing(_reading(database)) as connection:
        found = dict(connection.execute("SELECT 'jobs: ' || source, count(*) FROM jobs GROUP BY source").fetchall())
        (found["kept pictures"],) = connection.execute("SELECT count(*) FROM kept_pictures").fetchone()
    rows = _read(database)
    return found | {"deleted pictures": sum(len(one.pictures) - len(one.shown) for one in rows)}


def is_at_rest(server: LoopbackDiscord, database: Path) -> bool:
    """Whether every job is over and shown, and no erased picture's bytes are left to delete."""
    jobs = read_state(database).jobs.values()
    if not all(job.is_over and job.is_delivered for job in jobs):
        return False
    with closing(_reading(database)) as connection:
        if connection.execute("SELECT count(*) FROM erased_blobs").fetchone()[0]:
            return False
    return not any(_is_behind(server, row) for row in _read(database))


def untruths(server: LoopbackDiscord, database: Path) -> list[str]:
    """Every sentence, number or file that is not as it is stored; empty when all is true."""
    found = list(server.violations)
    messages = _messages_by_job(server)
    for job in read_state(database).jobs.values():
        if not job.is_over or not job.is_delivered:
            found.append(f"job {job.id} is {job.status}, delivered: {job.is_delivered}")
        if (job.spent, job.paid_back) != (job.cost, job.cost if job.status == "cancelled" else 0):
            found.append(f"job {job.id} ({job.status}) cost {job.cost}: spent {job.spent}, paid back {job.paid_back}")
    for row in _read(database):
        found += [f"job {row.id}: {one}" for one in _about(row, messages[row.id])]
    return found + list(_left_over(server, database))


def _about(row: Row, messages: list[Message]) -> Iterator[str]:
    if not row.shown:
        if messages:
            yield f"all its pictures were deleted, and messages {[one.id for one in messages]} still show it"
        return
    if len(messages) != 1:
        yield f"{len(messages)} messages show it"
        return
    (message,) = messages
    yield from _about_files(row, message)
    yield from _about_words(row, message)
    yield from _about_buttons(row, message)


def _about_files(row: Row, message: Message) -> Iterator[str]:
    """The gallery holds the pictures that are stored, in order, in the size and with the seed that are stored."""
    shown: list[tuple[int, int, int]] = []
    for media in media_of(message):
        info = read_png(media.data)
        with Image.open(io.BytesIO(media.data)) as image:
            shown.append((info.seed if info is not None else -1, image.width, image.height))
    stored = [(one.seed, SHOWN_TIMES * one.width, SHOWN_TIMES * one.height) for one in row.shown]
    if shown != stored:
        yield f"shows (seed, width, height) {shown}, stored are {stored}"
    if len(message.attachments) != len(row.shown):
        yield f"{len(message.attachments)} files hang at its message, {len(row.shown)} pictures are stored"


def _about_words(row: Row, message: Message) -> Iterator[str]:
    said, words, first = fields_of(message), text_of(message), row.shown[0]
    size = f"{first.width}×{first.height}"
    factor = row.request.get("upscale", 1)
    if factor > 1:
        size += f" (upscaled {factor:g}×)"
    size += f" (shown {SHOWN_TIMES}×)"
    several = len(row.pictures) > 1
    seeds = ", ".join(f"{one.number}: {one.seed}" for one in row.shown) if several else str(first.seed)
    expected = {"Size": size, "Seed": seeds, "Steps": str(row.request["num_inference_steps"])}
    for name, value in expected.items():
        if said.get(name) != value:
            yield f"says {name} {said.get(name)!r}, it is {value!r}"
    if credits_in_words(row.cost) not in words:
        yield f"does not say that it cost {credits_in_words(row.cost)}"
    found = PARENT.search(words)
    if (found is None) != (row.parent_id is None):
        yield f"says of its parent {found and found[0]!r}, stored is {row.parent_id}"
    elif found is not None:
        named = (int(found[1]) if found[1] else None, int(found[2]) if found[2] else None)
        if named != (row.parent_number, row.parent_message_id) and int(found[3] or 0) != row.parent_id:
            yield f"says {found[0]!r}; stored are {row.parent_id}, {row.parent_number}, {row.parent_message_id}"


def _about_buttons(row: Row, message: Message) -> Iterator[str]:
    labels, numbers = labels_of(message), [one.number for one in row.shown]
    meant = MEANT.search(text_of(message))
    picker = [one for one in labels if one.isdigit() or one == "All"]
    if len(numbers) == 1:
        if picker or meant is not None:
            yield f"offers to choose among {picker}, and has one picture"
        return
    if picker != [*map(str, numbers), "All"]:
        yield f"offers to choose among {picker}, there are {numbers}"
    if meant is None or not _is_true(meant, numbers, len(row.pictures)):
        yield f"says {meant and meant[0]!r}, there are {numbers}"
        return
    # "Delete all" is about the job, whatever is chosen.
    ends = {one.rsplit(" ", 1)[1] for one in labels if re.search(r" (\d|all)$", one) and one != "Delete all"}
    if ends != {meant["all"] or meant["number"]}:
        yield f"says {meant[0]!r}, and its buttons name {sorted(ends)}"


def _is_true(meant: re.Match[str], numbers: list[int], painted: int) -> bool:
    """One is counted among all that were painted; "all" are those that are left."""
    if meant["all"]:
        return int(meant["total"]) == len(numbers)
    return int(meant["number"]) in numbers and int(meant["total"]) == painted


def _left_over(server: LoopbackDiscord, database: Path) -> Iterator[str]:
    """What is left of erased pictures: marks, and files in Discord's messages or in the files by month."""
    stored = {(row.id, one.number): one for row in _read(database) for one in row.shown}
    by_seed = {(job_id, one.seed) for (job_id, _), one in stored.items()}
    with closing(_reading(database)) as connection:
        for job_id, number in connection.execute("SELECT job_id, position + 1 FROM kept_pictures"):
            if (job_id, number) not in stored:
                yield f"picture {number} of job {job_id} is kept and not stored"
    for message in server.world.messages.values():
        for file in message.attachments:
            info = read_png(file.data)
            if info is not None and info.job_id is not None and (info.job_id, info.seed) not in by_seed:
                yield f"message {message.id} still has a deleted picture of job {info.job_id}"
    named = _named_blobs(database)
    for path in sorted((database.parent / "pictures").rglob("*.sqlite3")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            keys = {row[0] for row in connection.execute("SELECT key FROM blobs")}
        if keys != named[path.stem]:
            yield f"{path.name} holds blobs {sorted(keys)}, rows name {sorted(named[path.stem])}"


def _is_behind(server: LoopbackDiscord, row: Row) -> bool:
    """Whether the job's message still shows what was deleted."""
    message = server.world.messages.get(row.message_id or 0)
    return message is not None and len(message.attachments) != len(row.shown)


def _messages_by_job(server: LoopbackDiscord) -> defaultdict[int, list[Message]]:
    """Job → the messages for everybody that carry its buttons."""
    found: defaultdict[int, list[Message]] = defaultdict(list)
    for message in server.world.messages.values():
        if message.only_for is None:
            for job_id in {job_id for _, job_id in buttons_of(message)}:
                found[job_id].append(message)
    return found


def _read(database: Path) -> list[Row]:
    """Every job that was painted."""
    with closing(_reading(database)) as connection:
        pictures: defaultdict[int, list[Kept]] = defaultdict(list)
        for job_id, *rest, stored in connection.execute(
            """SELECT job_id, position + 1, seed, width, height, png IS NOT NULL OR month IS NOT NULL
               FROM pictures ORDER BY job_id, position"""
        ):
            number, seed, width, height = rest
            pictures[job_id].append(Kept(number, seed, width, height, bool(stored)))
        rows = connection.execute(
            """SELECT jobs.id, jobs.message_id, parent.message_id, jobs.parent_id, jobs.parent_number, jobs.request,
                      jobs.cost
               FROM jobs LEFT JOIN jobs AS parent ON parent.id = jobs.parent_id
               WHERE jobs.status = 'delivered' ORDER BY jobs.id"""
        ).fetchall()
    return [
        Row(job_id, message, parent_message, parent, number, json.loads(request), cost, tuple(pictures[job_id]))
        for job_id, message, parent_message, parent, number, request, cost in rows
    ]


def _named_blobs(database: Path) -> defaultdict[str, set[int]]:
    named: defaultdict[str, set[int]] = defaultdict(set)
    with closing(_reading(database)) as connection:
        for month, key in connection.execute("SELECT month, blob_key FROM pictures WHERE month IS NOT NULL"):
            named[month].add(key)
    return named


def _reading(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
