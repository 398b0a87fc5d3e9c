"""What the service announces after a commit, and who listens: background tasks run when their own topic has news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum

Listener = Callable[[int], None]


class Topic(StrEnum):
    """One kind of news. With `JOBS` comes the job's id, with the others 0."""

    JOBS = "jobs"
    AUDIT = "audit"
    CASES = "cases"
    CASE_DECISIONS = "case decisions"
    CHALLENGES = "challenges"
    DECISIONS = "decisions"
    PROMPT_CHANNELS = "prompt channels"
    QUEUE = "queue"
    SETTINGS = "settings"
    STARBOARD = "starboard"
    STRIKES = "strikes"


class Topics:
    """Calls every listener of a topic, in the event loop."""

    def __init__(self) -> None:
        self._listeners: defaultdict[Topic, list[Listener]] = defaultdict(list)

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        self._listeners[topic].append(listener)

    def announce(self, topic: Topic, subject_id: int = 0) -> None:
        """Tell that something about the topic is new in the database. Listeners must not block."""
        for listener in self._listeners[topic]:
            listener(subject_id)
