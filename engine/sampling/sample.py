"""One picture on its way from noise, and the memory that the pictures of one size share."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from domain import ModelProfile, Request
from engine.request.passes import passes_of
from engine.sampling.row_selection import Bucket
from engine.sampling.solver_formulas import REMEMBERED
from engine.sampling.solvers import SolverTable, solver_table

TOO_LARGE = "This picture does not fit into the machine's memory; a smaller one may. Nothing was charged."


@dataclass(frozen=True, slots=True)
class InitLatents:
    """What an image-to-image request begins with: latents [4, h, w], and for inpainting a mask [1, h, w]."""

    latents: torch.Tensor
    mask: torch.Tensor | None = None


@dataclass(slots=True, eq=False)
class Sample:
    """A picture that is being painted: its own solver table, noise and place in a slab, and the call it has reached.

    `done` counts the model calls of an earlier pass, `failure` is the sentence for the member when its numbers broke,
    `preview` the latents that it would have if it were finished now (only while `wants_preview`).
    """

    job_id: int
    user_id: int
    seed: int
    request: Request
    table: SolverTable
    generator: torch.Generator
    slab: Slab
    slot: int
    later_calls: int = 0
    done: int = 0
    call: int = 0
    init: InitLatents | None = None
    init_noise: torch.Tensor | None = None
    wants_preview: bool = False
    preview: torch.Tensor | None = None
    failure: str | None = None

    @property
    def bucket(self) -> Bucket:
        """Size and prompt length: only equal ones share a call."""
        return self.slab.bucket

    @property
    def step(self) -> int:
        """Calls of the model so far, over all passes."""
        return self.done + self.call

    @property
    def total_steps(self) -> int:
        """Calls of the model over all passes."""
        return self.done + self.table.calls + self.later_calls

    @property
    def is_finished(self) -> bool:
        """Whether no call is left."""
        return self.call >= self.table.calls and not self.later_calls

    @property
    def is_guided(self) -> bool:
        """Whether this step needs a second row for the negative prompt."""
        low, high = self.request.guidance_interval
        return self.request.guidance_scale > 1.0 and low <= self.call / self.table.calls <= high

    @property
    def rows(self) -> int:
        """UNet rows that the next step needs."""
        return 2 if self.is_guided else 1

    @property
    def latents(self) -> torch.Tensor:
        """The present latents [4, h, w]."""
        return self.slab.state[self.slot, 0]


@dataclass(slots=True, eq=False)
class Slab:
    """Latents with solver memory [slots, 5, 4, h, w] and prompt embeddings [slots, 2, tokens, dim] of one bucket."""

    bucket: Bucket
    state: torch.Tensor
    embeds: torch.Tensor
    free: list[int] = field(default_factory=list[int])

    @classmethod
    def like(cls, bucket: Bucket, latents: torch.Tensor, embeds: torch.Tensor) -> Slab:
        """An empty slab for latents [4, h, w] and embeddings [2, tokens, dim]."""
        state = torch.zeros((0, REMEMBERED, *latents.shape), device=latents.device)
        return cls(bucket, state, torch.zeros((0, *embeds.shape), dtype=embeds.dtype, device=embeds.device))

    def put(self, latents: torch.Tensor, embeds: torch.Tensor) -> int:
        """Store a new picture's latents and embeddings; returns its slot."""
        if not self.free:
            self._grow()
        slot = self.free.pop()
        self.state[slot] = 0
        self.state[slot, 0] = latents
        self.embeds[slot] = embeds
        return slot

    def _grow(self) -> None:
        size = len(self.state)
        more = max(size, 4)
        self.state = torch.cat([self.state, self.state.new_zeros((more, *self.state.shape[1:]))])
        self.embeds = torch.cat([self.embeds, self.embeds.new_zeros((more, *self.embeds.shape[1:]))])
        self.free.extend(range(size, size + more))


def tables_of(request: Request, profile: ModelProfile, config: dict[str, object]) -> list[SolverTable]:
    """The solver table of each of a request's passes."""
    return [solver_table(request.scheduler, config, *one) for one in passes_of(request, profile)]
