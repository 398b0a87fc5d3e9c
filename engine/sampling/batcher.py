"""Step-level batching: every step is one UNet call over rows of different requests.

Requests join and leave between steps, whatever their steps, guidance, solver or prompt; only size and prompt length
must be equal (one bucket a step). Rows are padded to fixed counts, and whatever happens between two calls is plain
arithmetic on each row, so that a row's numbers do not depend on its neighbours. State changes only after a call has
succeeded: a call that runs out of memory is simply made again with fewer rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from domain import SEED_LIMIT, Request
from engine.request.passes import second_pass
from engine.sampling.enlarging import enlarge
from engine.sampling.pipeline import Pipeline
from engine.sampling.profiling import RowProfile
from engine.sampling.row_selection import DEFAULT_ROWS, ROW_COUNTS, Bucket, RowSelection, padded
from engine.sampling.sample import TOO_LARGE, InitLatents, Sample, Slab, tables_of
from engine.sampling.solvers import advance, stack_rows

log = logging.getLogger(__name__)

BROKEN = "The model gave values that are not numbers for this picture; nothing was charged."
# After this many steps without running out of memory a bucket may try more rows again.
STEPS_UNTIL_RAISED = 200
# A picture that is painted in windows, with its negative prompt.
WINDOW_ROWS = 2


class JoiningJob(Protocol):
    """What the batcher reads of a job that joins; `init_latents` are there once its init image is encoded."""

    @property
    def job_id(self) -> int: ...
    @property
    def user_id(self) -> int: ...
    @property
    def request(self) -> Request: ...
    @property
    def init_latents(self) -> InitLatents | None: ...


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
        row_profile: RowProfile | None = None,
    ) -> None:
        """At most `max_rows` rows a call; with a `row_profile` as many as pay for a size, 16 while that is unknown."""
        self._pipeline = pipeline
        self._max_rows = max(count for count in ROW_COUNTS if count <= max_rows)
        self._clock = clock
        self._row_profile = row_profile
        self._samples: list[Sample] = []
        self._slabs: dict[Bucket, Slab] = {}
        self._selection: RowSelection[Sample] = RowSelection(always_padded=pipeline.reproducible)
        self._caps: dict[Bucket, int] = {}
        self._good_steps = 0
        self.counters = Counters()
        self.step_seconds = 0.0

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def users(self) -> set[int]:
        """The ids of the people whose pictures are being painted."""
        return {sample.user_id for sample in self._samples}

    # ---- admit -----------------------------------------------------------------------------------------------------

    def fits(self, job: JoiningJob) -> bool:
        """Whether a job may join now: its bucket has rows left, or its member has nothing here yet."""
        _, height, width = self._pipeline.latent_shape(job.request)
        room = self._max_rows_of((height, width))
        held = [sample for sample in self._samples if sample.bucket[:2] == (height, width)]
        rows = 2 * job.request.images
        held_rows = 2 * len(held)
        if held_rows + rows <= room or not held:
            return 2 * len(self._samples) + rows <= 4 * room or not self._samples
        is_new = job.user_id not in self.users
        return is_new and held_rows + rows <= 4 * room

    def _max_rows_of(self, size: tuple[int, int]) -> int:
        if len(self._pipeline.windows(size)) > 1:  # windows are there to save memory: one picture at a time
            return min(WINDOW_ROWS, self._max_rows)
        if self._row_profile is None or self._pipeline.reproducible:
            return self._max_rows
        return min(self._row_profile.best(size) or DEFAULT_ROWS, self._max_rows)

    def admit(self, jobs: Sequence[JoiningJob]) -> list[list[Sample]]:
        """Let jobs in; their pictures join at the next step. Returns each job's samples."""
        embeds = self._pipeline.encode_prompts([job.request for job in jobs])
        admitted = [
            [self._first_pass(job, number, text) for number in range(job.request.images)]
            for job, text in zip(jobs, embeds, strict=True)
        ]
        for samples in admitted:
            self._samples.extend(samples)
        return admitted

    def _first_pass(self, job: JoiningJob, number: int, embeds: torch.Tensor) -> Sample:
        request, init = job.request, job.init_latents
        first, *later = tables_of(request, self._pipeline.model.profile, self._pipeline.model.scheduler_config)
        seed = (request.seed + number) % SEED_LIMIT
        generator = torch.Generator().manual_seed(seed)
        noise = self._pipeline.noise(generator, self._pipeline.latent_shape(request))
        latents = noise * first.start if init is None else _at_level(init.latents, noise, first.levels[0])
        slab = self._slab(latents, embeds)
        return Sample(
            job_id=job.job_id,
            user_id=job.user_id,
            seed=seed,
            request=request,
            table=first,
            generator=generator,
            slab=slab,
            slot=slab.put(latents, embeds),
            later_calls=sum(table.calls for table in later),
            init=init,
            init_noise=noise if init is not None and init.mask is not None else None,
        )

    def _slab(self, latents: torch.Tensor, embeds: torch.Tensor) -> Slab:
        bucket = (*latents.shape[1:], embeds.shape[1])
        if bucket not in self._slabs:
            self._slabs[bucket] = Slab.like(bucket, latents, embeds)
            if self._row_profile is not None:
                self._selection.costs.learn(bucket, self._row_profile.seconds((bucket[0], bucket[1])))
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
        users: dict[Bucket, set[int]] = {}
        rows: dict[Bucket, int] = {}
        for sample in self._samples:
            if not sample.is_finished:
                users.setdefault(sample.bucket, set()).add(sample.user_id)
                rows[sample.bucket] = rows.get(sample.bucket, 0) + sample.rows
        capped = {bucket: min(count, self._room(bucket)) for bucket, count in rows.items()}
        return self._selection.choose_bucket({bucket: len(ids) for bucket, ids in users.items()}, capped)

    def _choose_samples(self, bucket: Bucket) -> list[Sample]:
        waiting = [sample for sample in self._samples if sample.bucket == bucket and not sample.is_finished]
        return self._selection.choose_samples(bucket, waiting, self._room(bucket))

    def _room(self, bucket: Bucket) -> int:
        most = self._max_rows_of((bucket[0], bucket[1]))
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
        broken = (~torch.isfinite(outputs).flatten(1).all(1)).cpu().numpy()
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
        self._selection.served(bucket, batch, seconds, rows)
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
        """Enlarge the picture, put noise on it again, and go on at a later step of the schedule."""
        model = self._pipeline.model
        request = second_pass(sample.request, model.profile.unit)
        first, second = tables_of(sample.request, model.profile, model.scheduler_config)
        shape = self._pipeline.latent_shape(request)
        try:
            latents = enlarge(self._pipeline, sample.latents, (request.width, request.height))
        except torch.OutOfMemoryError:
            sample.failure = TOO_LARGE
            return
        if not torch.isfinite(latents).all():
            sample.failure = BROKEN
            return
        noise = self._pipeline.noise(sample.generator, shape)
        init = _kept(latents, sample.init)
        embeds = sample.slab.embeds[sample.slot].clone()
        sample.slab.free.append(sample.slot)
        latents = _at_level(latents, noise, second.levels[0])
        slab = self._slab(latents, embeds)
        sample.slab, sample.slot = slab, slab.put(latents, embeds)
        sample.done, sample.call, sample.later_calls = sample.done + first.calls, 0, 0
        sample.table, sample.init = second, init
        sample.init_noise = noise if init is not None else None
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
    """Inpainting: outside the mask the picture stays the init image at the current noise level."""
    if sample.init is None or sample.init.mask is None or sample.init_noise is None:
        return
    kept = _at_level(sample.init.latents, sample.init_noise, sample.table.levels[sample.call])
    mask = sample.init.mask
    sample.slab.state[sample.slot, 0] = mask * sample.latents + (1 - mask) * kept


def _kept(latents: torch.Tensor, init: InitLatents | None) -> InitLatents | None:
    """What the second pass keeps of the enlarged picture: what lies outside the mask; None where there is no mask."""
    if init is None or init.mask is None:
        return None
    return InitLatents(latents, torch.nn.functional.interpolate(init.mask[None], latents.shape[1:], mode="nearest")[0])
