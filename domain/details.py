"""Everything that there is to say about one finished picture."""

from __future__ import annotations

from domain.frozen import frozen
from domain.jobs import Job
from domain.models import ModelIdentity


@frozen
class Details:
    """`number` counts a job's pictures from 1; `parameters` is text that gives the picture again where it is pasted."""

    number: int
    seed: int
    width: int
    height: int
    parameters: str
    model: ModelIdentity
    parent: Job | None
