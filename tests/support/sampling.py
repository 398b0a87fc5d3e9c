"""Pictures painted by a pipeline alone, without a queue or a worker."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from domain import Request
from engine.sampling.batcher import Batcher
from engine.sampling.decoding import Decoder
from engine.sampling.pipeline import Pipeline
from engine.sampling.sample import InitLatents, Sample
from engine.worker.running_job import RunningJob
from tests.support.engine import make_task


def paint(
    pipeline: Pipeline, requests: Sequence[Request], init: InitLatents | None = None, max_rows: int = 4
) -> list[Sample]:
    """Every request's first picture, painted together, by different members; all of them on from `init`."""
    batcher = Batcher(pipeline, max_rows)
    jobs = [
        RunningJob.of(make_task(number, request, number), pipeline.model.profile)
        for number, request in enumerate(requests)
    ]
    for job in jobs:
        job.init_latents = init
    samples = [own[0] for own in batcher.admit(jobs)]
    while not all(sample.is_finished for sample in samples):
        batcher.step()
    assert not any(sample.failure for sample in samples)
    return samples


def painted_image(pipeline: Pipeline, request: Request) -> Image.Image:
    """A request's picture as it is delivered."""
    decoder = Decoder(pipeline)
    decoder.add(*paint(pipeline, [request]))
    (decoded,) = decoder.decode(float("inf"))
    assert decoded.image is not None
    return decoded.image
