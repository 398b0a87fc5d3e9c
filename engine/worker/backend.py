"""The engine as the rest of the bot sees it. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from domain import ModelProfile, Progress, Request, Result, Standing, Task
from engine.request.prompt import TokenReport

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """What the engine is doing.

    `seconds_per_picture` is a recent mean, `rows_per_call` the mean of needed UNet rows a call, `padding_waste` the
    share of all computed rows that only filled up.
    """

    queued: int
    running: int
    users_waiting: int
    seconds_per_picture: float
    rows_per_call: float
    paused: bool
    alive: bool
    padding_waste: float = 0.0


class Backend(Protocol):
    """Paints tasks. Every method may be called from any thread and returns at once, except `close`."""

    @property
    def profile(self) -> ModelProfile: ...
    def start(self) -> None: ...
    def submit(self, task: Task, on_progress: OnProgress) -> Future[Result]: ...
    def validate(self, request: Request) -> None: ...
    def tokens(self, prompt: str) -> TokenReport: ...
    def cancel(self, job_id: int) -> bool: ...
    def standing(self, job_id: int) -> Standing | None: ...
    def report(self) -> EngineReport: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self, *, drain_seconds: float = 0) -> None: ...
