"""The postprocess thread: everything that the GPU thread must not wait for, in the order in which it comes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from domain import PaintingFailed, PictureRefused, Result
from engine.sampling.pipeline import Pipeline
from engine.worker.open_jobs import OpenJobs
from engine.worker.postprocess import Postprocessor
from engine.worker.running_job import RunningJob
from engine.worker.throughput import ThroughputEstimate

log = logging.getLogger(__name__)

FAILED = "This picture could not be painted; nothing was charged."


def start_postprocess_thread(pipeline: Pipeline) -> ThreadPoolExecutor:
    """An executor of one thread, with as many CPU threads for an operation as the pipeline's maker has."""
    return ThreadPoolExecutor(1, "postprocess", initializer=pipeline.enter_thread)


class PostprocessThread:
    """Hands jobs to the one thread of `executor`; its methods return at once."""

    def __init__(
        self,
        executor: Executor,
        postprocessor: Postprocessor,
        jobs: OpenJobs,
        throughput: ThroughputEstimate,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor, self._postprocessor = executor, postprocessor
        self._jobs, self._throughput, self._clock = jobs, throughput, clock

    def read_init_image(self, job: RunningJob, data: bytes) -> None:
        """Read a begun job's init image from an encoded file; then the job is ready."""
        self._executor.submit(self._read_init_image, job, data)

    def finish(self, job: RunningJob) -> None:
        """Check and encode the images of a painted job, and answer its future."""
        self._executor.submit(self._finish, job)

    def close(self) -> None:
        """Wait until all that was handed over is done."""
        self._executor.shutdown(wait=True)

    def _read_init_image(self, job: RunningJob, data: bytes) -> None:
        try:
            job.init_image = self._postprocessor.read_init_image(job.task.approved, data)
        except PictureRefused as refusal:
            job.refusal = refusal
        except Exception:  # the thread's border: the member gets an answer whatever the file does to its decoder
            log.exception("the init image of job %d can't be used", job.job_id)
            job.refusal = PaintingFailed(FAILED)
        self._jobs.put_ready(job)

    def _finish(self, job: RunningJob) -> None:
        images = [(sample.seed, job.images[sample.seed]) for sample in job.samples]
        try:
            pictures = self._postprocessor.make_pictures(job.job_id, job.task.approved, images)
        except Exception:  # the thread's border
            log.exception("job %d could not be finished", job.job_id)
            job.fail(PaintingFailed(FAILED))
            return
        seconds = self._clock() - job.started_at
        self._throughput.count_picture(seconds / len(pictures))
        model = self._postprocessor.identity
        job.succeed(Result(job_id=job.job_id, request=job.request, model=model, pictures=pictures, seconds=seconds))
