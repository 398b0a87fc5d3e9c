"""What may not be there when the dust has settled, found in the database and in what Discord shows."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.people import media_of
from sandbox.server import LoopbackDiscord
from sandbox.world.layout import walk
from sandbox.world.things import Event, Message
from scripts.misfortune.crowd import Crowd
from tests.support.cards import text_of

KINDS = ("lost", "doubled", "stuck", "credits", "untrue", "rules")
BAD_ENDS = ("refused", "withheld", "failed", "cancelled")
BUTTON = re.compile(r"job:([\w-]+):(\d+)(?::[\w-]+)*")
NUMBER = re.compile(r"picture (\d+) ·")
FREE = "nothing was charged"
# Whether the bot ran into the fault at all, in the details of a round.
STRUCK, MISSED = "struck", "missed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that may not be: of which kind, and what it is about."""

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Job:
    """One row, with what its credits came to: 0 where everything was paid back."""

    id: int
    status: str
    message_id: int | None
    request_id: int | None
    prompt: str
    parent_id: int | None
    cost: int
    is_delivered: bool
    pictures: int
    spent: int
    paid_back: int

    @property
    def is_over(self) -> bool:
        return self.status not in ("queued", "running")

    @property
    def is_free(self) -> bool:
        return self.spent == self.paid_back


@dataclass(slots=True)
class State:
    """Everything that is stored about jobs and prompt messages."""

    jobs: dict[int, Job]
    prompts: dict[int, tuple[str, int | None, int | None]]  # message → status, job, reply


@dataclass(slots=True)
class Witness:
    """Remembers every message that ever said that nothing was charged: it may have been edited since."""

    server: LoopbackDiscord
    heard: set[tuple[int, int | None, int | None]] = field(default_factory=set[tuple[int, int | None, int | None]])

    def __call__(self, event: Event) -> None:
        """Note (message, its interaction, the job that its card names)."""
        message = self.server.world.messages.get(int(event.data.get("id") or 0))
        if event.name in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and message is not None:
            words = text_of(message)
            if FREE in words.lower():
                number = NUMBER.search(words)
                self.heard.add((message.id, message.interaction_id, int(number[1]) if number else None))


def read_state(database: Path) -> State:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        rows = connection.execute(
            """SELECT id, status, message_id, request_id, json_extract(request, '$.prompt'), parent_id, cost,
                      delivered_at IS NOT NULL,
                      (SELECT count(*) FROM pictures WHERE job_id = jobs.id AND (png IS NOT NULL OR month IS NOT NULL)),
                      (SELECT coalesce(-sum(amount), 0) FROM ledger WHERE job_id = jobs.id AND kind = 'spend'),
                      (SELECT coalesce(sum(amount), 0) FROM ledger WHERE job_id = jobs.id AND kind = 'refund')
               FROM jobs ORDER BY id"""
        ).fetchall()
        prompts = connection.execute("SELECT message_id, status, job_id, reply_id FROM prompt_messages").fetchall()
    return State({row[0]: Job(*row) for row in rows}, {row[0]: (row[1], row[2], row[3]) for row in prompts})


def buttons_of(message: Message) -> Iterator[tuple[str, int]]:
    """Verb and job of each of a message's buttons."""
    for one in walk(message.components):
        found = BUTTON.fullmatch(one.get("custom_id") or "")
        if found:
            yield found[1], int(found[2])


def is_settled(
    server: LoopbackDiscord, state: State, crowd: Crowd, excused: set[int], known: frozenset[Finding] = frozenset()
) -> bool:
    """Whether nothing is owed any more: every job over and shown, every prompt read as it is, nothing that waits.

    What is `known` to be lost is not waited for again.
    """
    there = server.world.messages
    return (
        all(job.is_over and job.is_delivered for job in state.jobs.values())
        and all(state.prompts.get(one, ("taken",))[0] != "taken" for one in crowd.said if one in there)
        and known.issuperset(_messages_lost(server, state, crowd))
        and not any(verb == "cancel" for message in there.values() for verb, _ in buttons_of(message))
        and not any(message.is_thinking and message.interaction_id not in excused for message in there.values())
    )


def judge(
    server: LoopbackDiscord, state: State, crowd: Crowd, witness: Witness, excused: set[int], *, may_lack_files: bool
) -> list[Finding]:
    """Everything that is wrong now. `excused` are interactions whose process was killed while it was "thinking".

    `may_lack_files`: Discord has refused some file for good, so a card that says so stands in for its picture.
    """
    return [
        *_stuck(server, state, excused),
        *_shown_wrongly(server, state, may_lack_files),
        *_asked_twice(state),
        *_messages_lost(server, state, crowd),
        *_wrong_credits(state),
        *_untrue(server, state, witness),
    ]


def _stuck(server: LoopbackDiscord, state: State, excused: set[int]) -> Iterator[Finding]:
    for job in state.jobs.values():
        if not job.is_over or not job.is_delivered:
            yield Finding("stuck", f"job {job.id} is {job.status}, delivered: {job.is_delivered}")
    for message in server.world.messages.values():
        if message.is_thinking and message.interaction_id not in excused:
            yield Finding("stuck", f"message {message.id} says that it is thinking")
        for verb, job_id in buttons_of(message):
            if verb == "cancel" and (job_id not in state.jobs or state.jobs[job_id].is_over):
                yield Finding("stuck", f"message {message.id} says that job {job_id} waits, which is over")
    for message_id, (status, *_) in state.prompts.items():
        if status == "taken" and message_id in server.world.messages:
            yield Finding("stuck", f"prompt {message_id} was claimed and never painted or answered")


def _shown_wrongly(server: LoopbackDiscord, state: State, may_lack_files: bool) -> Iterator[Finding]:
    shown: defaultdict[int, list[Message]] = defaultdict(list)
    for message in server.world.messages.values():
        if message.only_for is not None:
            continue  # a question about a picture, for one person
        for job_id in {job_id for _, job_id in buttons_of(message)}:
            shown[job_id].append(message)
    for job_id, messages in shown.items():
        if job_id not in state.jobs:
            yield Finding(
                "lost", f"messages {[one.id for one in messages]} show job {job_id}, of which no row is there"
            )
        if len(messages) > 1:
            yield Finding("doubled", f"job {job_id} is shown by messages {[one.id for one in messages]}")
    later = _superseded(state)
    for job in state.jobs.values():
        is_due = job.status == "delivered" and job.pictures > 0 and job.id not in later
        has_stand_in = may_lack_files and bool(shown[job.id])
        if is_due and not has_stand_in and not any(map(shows_picture, shown[job.id])):
            yield Finding("lost", f"job {job.id} is delivered, and nothing shows it: {_what_is_there(server, job)}")


def _what_is_there(server: LoopbackDiscord, job: Job) -> str:
    """What stands where the job's picture should be shown."""
    message = server.world.messages.get(job.message_id or 0)
    if message is None:
        return f"there is no message {job.message_id}"
    return f"message {message.id} has the buttons {sorted(set(buttons_of(message)))} and says {text_of(message)!r}"


def shows_picture(message: Message) -> bool:
    """Whether a message shows more than a preview."""
    return any(not one.filename.startswith("preview.") for one in media_of(message))


def _superseded(state: State) -> set[int]:
    """Jobs whose message shows a later one: their prompt was edited."""
    by_message: defaultdict[int, list[Job]] = defaultdict(list)
    for job in state.jobs.values():
        if job.message_id is not None:
            by_message[job.message_id].append(job)
    return {
        job.id
        for jobs in by_message.values()
        for job in jobs
        if any(other.id > job.id and other.status != "cancelled" for other in jobs)
    }


def _asked_twice(state: State) -> Iterator[Finding]:
    """Every prompt has a number of its own; only Again and Vary take one over, and they have a parent."""
    times = Counter(job.prompt for job in state.jobs.values() if job.parent_id is None and job.status != "cancelled")
    for prompt, count in times.items():
        if count > 1:
            yield Finding("doubled", f"{prompt!r} was accepted {count} times")


def _messages_lost(server: LoopbackDiscord, state: State, crowd: Crowd) -> Iterator[Finding]:
    for message_id in crowd.said:
        message = server.world.messages.get(message_id)
        if message is None:
            continue
        if message_id not in state.prompts:
            yield Finding("lost", f"prompt {message_id} was never read")
            continue
        _, job_id, reply_id = state.prompts[message_id]
        job = state.jobs.get(job_id or 0)
        is_answered = reply_id in server.world.messages  # in words: why the edit could not be painted
        if job is not None and job.pictures > 0 and job.prompt != message.content and not is_answered:
            yield Finding("lost", f"prompt {message_id} was edited to {message.content!r}, and shows {job.prompt!r}")


def _wrong_credits(state: State) -> Iterator[Finding]:
    for job in state.jobs.values():
        owed = job.cost if job.status in BAD_ENDS else 0
        if job.spent != job.cost or job.paid_back != owed:
            yield Finding(
                "credits",
                f"job {job.id} ({job.status}) costs {job.cost}, was charged {job.spent} and paid back {job.paid_back}",
            )


def _untrue(server: LoopbackDiscord, state: State, witness: Witness) -> Iterator[Finding]:
    by_request = {job.request_id: job for job in state.jobs.values() if job.request_id is not None}
    for message_id, interaction_id, number in witness.heard:
        message = server.world.messages.get(message_id)
        replied: Any = (message.reference or {}).get("message_id", 0) if message is not None else 0
        about = [state.jobs.get(number or 0), by_request.get(interaction_id or 0), by_request.get(int(replied))]
        for job in {job.id: job for job in about if job is not None}.values():
            if not job.is_free:
                yield Finding("untrue", f"message {message_id} said that nothing was charged; job {job.id} was")


def as_line(number: int, event: str, details: str, seconds: float, jobs: int, findings: list[Finding]) -> str:
    """One round as a line of the report."""
    return json.dumps(
        {
            "round": number, "event": event, "details": details, "seconds": round(seconds, 1), "jobs": jobs,
            "findings": [[one.kind, one.words] for one in findings],
        }
    )  # fmt: skip
