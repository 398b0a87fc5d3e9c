"""Step-level batching: every tick is one UNet call over rows of different requests.

Requests join and leave between steps, whatever their steps, guidance, solver or prompt; only size and prompt length
must be equal (one bucket a tick). Rows are padded to fixed counts, and whatever happens between two calls is plain
arithmetic on each row, so that a row's numbers do not depend on its neighbours. State changes only after a call has
succeeded: a call that runs out of memory is simply made again with fewer rows.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from domain import Request
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import RowProfile
from engine.sampling.row_selection import DEFAULT_ROWS, ROW_COUNTS, Turns, padded
from engine.sampling.sample import Bucket, Sample, Slab, Start, second_pass, tables_of
from engine.sampling.solvers import advance, stack_rows

log = logging.getLogger(__name__)

BROKEN = "The model gave values that are not numbers for this picture; nothing was charged."
TOO_LARGE = "This picture does not fit into the machine's memory; a smaller one may. Nothing was charged."
# After so many steps without running out of memory a bucket may try more rows again.
STEPS_UNTIL_RAISED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A request that may join; its pictures share the worker as `owner`'s."""

    job_id: int
    owner: int
    request: Request
    start: Start | None = None


@dataclass(slots=True)
class Counters:
    """What the batcher did: UNet calls, rows that were needed, rows that only filled up, and seconds of all steps."""

    calls: int = 0
    rows: int = 0
    padding: int = 0
    seconds: float = 0.0


class Batcher:
    """Holds the samples that are being painted. `step` advances one bucket by one UNet call."""

    def __init__(
        self,
        pipeline: Pipeline,
        max_rows: int = DEFAULT_ROWS,
        clock: Callable[[], float] = time.monotonic,
        profile: RowProfile | None = None,
    ) -> None:
        """At most `max_rows` rows a call; with a `profile` as many as pay for each size, and 16 while it is unknown."""
        self._pipeline = pipeline
        self._max_rows = max(count for count in ROW_COUNTS if count <= max_rows)
        self._clock = clock
        self._profile = profile
        self._samples: list[Sample] = []
        self._slabs: dict[Bucket, Slab] = {}
        self._turns: Turns[Sample] = Turns(always_padded=pipeline.reproducible)
        self._caps: dict[Bucket, int] = {}
        self._good_steps = 0
        self.counters = Counters()
        self.step_seconds = 0.0

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def owners(self) -> set[int]:
        """Whose pictures are being painted."""
        return {sample.owner for sample in self._samples}

    # ---- admit -----------------------------------------------------------------------------------------------------

    def fits(self, owner: int, request: Request) -> bool:
        """Whether a request may join now: its bucket has rows left, or its owner has nothing here yet."""
        _, height, width = self._pipeline.latent_shape(request)
        room = self._most_rows((height, width))
        held = [sample for sample in self._samples if sample.bucket[:2] == (height, width)]
        rows = 2 * request.images
        held_rows = 2 * len(held)
        if held_rows + rows <= room or not held:
            return 2 * len(self._samples) + rows <= 4 * room or not self._samples
        is_new = all(sample.owner != owner for sample in self._samples)
        return is_new and held_rows + rows <= 4 * room

    def _most_rows(self, size: tuple[int, int]) -> int:
        if self._profile is None or self._pipeline.reproducible:
            return self._max_rows
        return min(self._profile.best(size) or DEFAULT_ROWS, self._max_rows)

    def admit(self, admissions: Sequence[Admission]) -> list[list[Sample]]:
        """Let requests in; their pictures join at the next step. Returns each request's samples."""
        embeds = self._pipeline.encode_prompts([admission.request for admission in admissions])
        admitted = [
            [self._first_pass(admission, number, text) for number in range(admission.request.images)]
            for admission, text in zip(admissions, embeds, strict=True)
        ]
        for samples in admitted:
            self._samples.extend(samples)
        return admitted

    def _first_pass(self, admission: Admission, number: int, embeds: torch.Tensor) -> Sample:
        request, start = admission.request, admission.start
        first, *later = tables_of(request, self._pipeline.model.scheduler_config)
        generator = torch.Generator().manual_seed(request.seed + number)
        noise = self._pipeline.noise(generator, self._pipeline.latent_shape(request))
        latents = noise * first.start if start is None else _at_level(start.latents, noise, first.levels[0])
        slab = self._slab(latents, embeds)
        return Sample(
            job_id=admission.job_id,
            owner=admission.owner,
            seed=request.seed + number,
            request=request,
            table=first,
            generator=generator,
            slab=slab,
            slot=slab.put(latents, embeds),
            later_calls=sum(table.calls for table in later),
            start=start,
            start_noise=noise if start is not None and start.mask is not None else None,
        )

    def _slab(self, latents: torch.Tensor, embeds: torch.Tensor) -> Slab:
        bucket = (*latents.shape[1:], embeds.shape[1])
        if bucket not in self._slabs:
            self._slabs[bucket] = Slab.like(bucket, latents, embeds)
            if self._profile is not None:
                self._turns.costs.learn(bucket, self._profile.seconds((bucket[0], bucket[1])))
        return self._slabs[bucket]

    def remove(self, samples: Sequence[Sample]) -> None:
        """Forget samples; their rows are gone at the next step."""
        gone = set(map(id, samples))
        for sample in self._samples:
            if id(sample) in gone:
                sample.slab.free.append(sample.slot)
        self._samples = [sample for sample in self._samples if id(sample) not in gone]
        self._drop_empty_slabs()

    def _drop_empty_slabs(self) -> None:
        used = {sample.bucket for sample in self._samples}
        self._slabs = {bucket: slab for bucket, slab in self._slabs.items() if bucket in used}

    # ---- step ------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def step(self) -> list[Sample]:
        """One UNet call for one bucket; the samples that moved. One whose numbers broke carries `failure`."""
        bucket = self._choose_bucket()
        started = self._clock()
        batch = self._choose_samples(bucket)
        while True:
            try:
                outputs, rows = self._predict(batch, self._room(bucket))
                break
            except torch.OutOfMemoryError:
                if not self._lower_cap(bucket):
                    batch[0].failure = TOO_LARGE
                    return batch[:1]
                batch = self._choose_samples(bucket)
        self._advance(batch, outputs)
        self._account(bucket, batch, self._clock() - started, rows)
        for sample in batch:
            if sample.failure is None and sample.call >= sample.table.calls and sample.later_calls:
                self._begin_second_pass(sample)
        return batch

    def _choose_bucket(self) -> Bucket:
        people: dict[Bucket, set[int]] = {}
        rows: dict[Bucket, int] = {}
        for sample in self._samples:
            if not sample.is_finished:
                people.setdefault(sample.bucket, set()).add(sample.owner)
                rows[sample.bucket] = rows.get(sample.bucket, 0) + sample.rows
        capped = {bucket: min(count, self._room(bucket)) for bucket, count in rows.items()}
        return self._turns.choose_bucket({bucket: len(owners) for bucket, owners in people.items()}, capped)

    def _choose_samples(self, bucket: Bucket) -> list[Sample]:
        waiting = [sample for sample in self._samples if sample.bucket == bucket and not sample.is_finished]
        return self._turns.choose_samples(bucket, waiting, self._room(bucket))

    def _room(self, bucket: Bucket) -> int:
        most = self._most_rows((bucket[0], bucket[1]))
        return min(most, self._caps.get(bucket, most))

    def _predict(self, batch: list[Sample], room: int) -> tuple[torch.Tensor, int]:
        """The guided model output [n, 4, h, w] of n samples, and how many rows were computed for it."""
        slab, count = batch[0].slab, len(batch)
        guided = [number for number, sample in enumerate(batch) if sample.is_guided]
        pictures = [*range(count), *guided]
        texts = [2 * batch[number].slot for number in range(count)] + [2 * batch[number].slot + 1 for number in guided]
        needed = len(pictures)
        rows = padded(room) if self._pipeline.reproducible else padded(min(needed, room))
        missing = -needed % rows
        pictures += pictures[-1:] * missing
        texts += texts[-1:] * missing
        device = self._pipeline.device
        tables = [(sample.table, sample.call) for sample in batch]
        scales = torch.tensor([float(table.scales[call]) for table, call in tables], device=device)
        timesteps = torch.tensor([float(table.timesteps[call]) for table, call in tables], device=device)
        latents = slab.state[[sample.slot for sample in batch], 0] * scales[:, None, None, None]
        picture_index = torch.tensor(pictures, device=device)
        latents, timesteps = latents[picture_index], timesteps[picture_index]
        embeds = slab.embeds.flatten(0, 1)[torch.tensor(texts, device=device)]
        # Several calls only where memory allows less than one sample's rows.
        parts = [slice(start, start + rows) for start in range(0, len(pictures), rows)]
        output = torch.cat([self._pipeline.predict(latents[part], timesteps[part], embeds[part]) for part in parts])
        self.counters.calls += len(parts)
        self.counters.rows += needed
        self.counters.padding += missing
        return _guide(output, batch, guided), len(pictures)

    def _advance(self, batch: list[Sample], outputs: torch.Tensor) -> None:
        """The solvers' step for all samples at once."""
        slab, slots = batch[0].slab, [sample.slot for sample in batch]
        state = slab.state[slots]
        matrices = stack_rows([sample.table for sample in batch], [sample.call for sample in batch], state.device)
        for number, sample in enumerate(batch):
            if sample.wants_preview:
                sample.preview = _clean(sample, state[number], outputs[number])
        slab.state[slots] = advance(state, outputs, self._fresh_noise(batch), matrices)
        broken = (~torch.isfinite(outputs).flatten(1).all(1)).tolist()
        for sample, is_broken in zip(batch, broken, strict=True):
            sample.call += 1
            if is_broken:
                sample.failure = BROKEN
            _keep_outside_mask(sample)

    def _fresh_noise(self, batch: list[Sample]) -> torch.Tensor | None:
        wanted = [bool(sample.table.matrices[sample.call, 0, -1]) for sample in batch]
        if not any(wanted):
            return None
        shape = tuple(batch[0].latents.shape)
        zeros = torch.zeros(shape, device=self._pipeline.device)
        return torch.stack(
            [
                self._pipeline.noise(sample.generator, shape) if wants else zeros
                for sample, wants in zip(batch, wanted, strict=True)
            ]
        )

    def _account(self, bucket: Bucket, batch: list[Sample], seconds: float, rows: int) -> None:
        self._turns.served(bucket, batch, seconds, rows)
        self.step_seconds = seconds
        self.counters.seconds += seconds
        self._good_steps += 1
        if bucket in self._caps and self._good_steps >= STEPS_UNTIL_RAISED:
            self._good_steps = 0
            self._caps[bucket] = min(2 * self._caps[bucket], self._max_rows)

    def _lower_cap(self, bucket: Bucket) -> bool:
        """Halve a bucket's rows after it ran out of memory; False if it was at one row already."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._good_steps = 0
        cap = self._room(bucket)
        log.warning("out of memory with %d rows of %s", cap, bucket)
        self._caps[bucket] = max(cap // 2, 1)
        return cap > 1

    def _begin_second_pass(self, sample: Sample) -> None:
        """Enlarge the latents, put noise on them again, and go on at a later step of the schedule."""
        unit = self._pipeline.model.profile.unit
        request = second_pass(sample.request, unit)
        first, second = tables_of(sample.request, self._pipeline.model.scheduler_config)
        shape = self._pipeline.latent_shape(request)
        latents = torch.nn.functional.interpolate(sample.latents[None], shape[1:], mode="bicubic")[0]
        noise = self._pipeline.noise(sample.generator, shape)
        start = None if sample.start is None or sample.start.mask is None else _enlarged_start(sample.start, shape)
        embeds = sample.slab.embeds[sample.slot].clone()
        sample.slab.free.append(sample.slot)
        latents = _at_level(latents, noise, second.levels[0])
        slab = self._slab(latents, embeds)
        sample.slab, sample.slot = slab, slab.put(latents, embeds)
        sample.done, sample.call, sample.later_calls = sample.done + first.calls, 0, 0
        sample.table, sample.start = second, start
        sample.start_noise = noise if start is not None else None
        self._drop_empty_slabs()


def _at_level(latents: torch.Tensor, noise: torch.Tensor, level: tuple[float, float]) -> torch.Tensor:
    return level[0] * latents + level[1] * noise


def _guide(output: torch.Tensor, batch: list[Sample], guided: list[int]) -> torch.Tensor:
    """Classifier-free guidance: rows are all samples' prompts first, then the guided ones' negative prompts."""
    count = len(batch)
    result = output[:count].clone()
    if guided:
        scales = torch.tensor([batch[number].request.guidance_scale for number in guided], device=output.device)
        negative = output[count : count + len(guided)]
        result[guided] = negative + scales[:, None, None, None] * (output[guided] - negative)
    return result


def _clean(sample: Sample, state: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """The latents [4, h, w] of the picture that the model sees coming, from state [5, 4, h, w] and its output."""
    of_x, of_output = sample.table.clean[sample.call][[0, -2]].tolist()
    return (of_x * state[0] + of_output * output).cpu()


def _keep_outside_mask(sample: Sample) -> None:
    """Inpainting: outside the mask the picture stays the start picture at the current noise level."""
    if sample.start is None or sample.start.mask is None or sample.start_noise is None:
        return
    kept = _at_level(sample.start.latents, sample.start_noise, sample.table.levels[sample.call])
    mask = sample.start.mask
    sample.slab.state[sample.slot, 0] = mask * sample.latents + (1 - mask) * kept


def _enlarged_start(start: Start, shape: tuple[int, int, int]) -> Start:
    assert start.mask is not None
    latents = torch.nn.functional.interpolate(start.latents[None], shape[1:], mode="bicubic")[0]
    mask = torch.nn.functional.interpolate(start.mask[None], shape[1:], mode="nearest")[0]
    return Start(latents, mask)
