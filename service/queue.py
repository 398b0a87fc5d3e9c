"""The queue as people see it: places, progress, what the engine is doing; and how the bot's owner steers it."""

from __future__ import annotations

from collections.abc import Mapping

from db import audit, meta
from domain import ModelProfile, Reading, Standing
from domain.audit import AuditAction
from domain.queue import EngineReport, QueueState
from engine.request.presets import PRESETS
from engine.request.prompt import normalise
from engine.request.schedulers import label_of
from engine.worker.backend import Backend
from service.context import Context, Topic

DRAINED_KEY = "owner was told that the queue is drained"


class Queue:
    """Every answer is the engine's own, as of now."""

    def __init__(self, context: Context, backend: Backend) -> None:
        self._context = context
        self._backend = backend

    @property
    def profile(self) -> ModelProfile:
        return self._backend.profile

    def standing(self, job_id: int) -> Standing | None:
        """A waiting job's place; None if it does not wait."""
        return self._backend.standing(job_id)

    def report(self) -> EngineReport:
        return self._backend.report()

    def read(self, prompt: str) -> Reading:
        """How the model reads a prompt."""
        return Reading(normalise(prompt), self._backend.tokens(prompt).beyond)

    @property
    def presets(self) -> Mapping[str, str]:
        """Every preset's name with its description."""
        return {name: preset.description for name, preset in PRESETS.items()}

    @property
    def schedulers(self) -> Mapping[str, str]:
        """The model's schedulers with the names that other tools show."""
        return {name: label_of(name) for name in self.profile.schedulers}

    async def fetch_state(self) -> QueueState:
        return QueueState(await meta.recall(self._context.database, meta.QUEUE_STATE) or QueueState.OPEN)

    async def set_state(self, state: QueueState, actor_id: int) -> None:
        """Pause, drain or open the queue; it stays so across restarts. Who drains it is told when it is empty."""
        async with self._context.writing(Topic.QUEUE, Topic.AUDIT) as connection:
            await meta.remember(connection, meta.QUEUE_STATE, state)
            await meta.remember(connection, DRAINED_KEY, str(actor_id) if state is QueueState.DRAINING else "")
            await audit.record(
                connection, None, actor_id, AuditAction(f"queue.{state}"), "queue", {}, self._context.now()
            )
        self.apply_state(state)

    def apply_state(self, state: QueueState) -> None:
        """Make the worker do what the stored state says."""
        if state is QueueState.PAUSED:
            self._backend.pause()
        else:
            self._backend.resume()
