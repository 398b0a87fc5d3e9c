"""How far the same request's pictures are apart: painted alone, under full load, and after a restart.

    python scripts/measure_reproducibility.py [--model tiny] [--pictures 200] [--reproducible]

Every picture is read back from its PNG; pictures are counted by their largest difference, in steps of 1/255, of any
pixel from the one painted alone.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from domain import Result, Task
from engine.policy import approve
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel, load_model
from engine.sampling.pipeline import Pipeline
from engine.worker.local_backend import LocalBackend
from scripts.benchmark.variants import PLACE, idled_profile
from scripts.benchmark.workloads import SCALES, Order, Scale, make_orders
from scripts.random_model import SIZES, build_random_model

SCHEDULERS = ("ddim", "euler", "euler_a", "lms", "dpm++2m", "unipc")
Pixels = NDArray[np.uint8]


def start(model: LoadedModel, orders: list[Order], *, reproducible: bool) -> LocalBackend:
    """A backend whose idle work (measuring, capturing) is done."""
    pipeline = Pipeline(model, reproducible=reproducible)
    profile = idled_profile(pipeline, orders, max_rows=0, reproducible=reproducible, clock=time.perf_counter)
    return LocalBackend(model, FixedScores(), pipeline=pipeline, row_profile=profile, preview_every=10**6)


def paint(backend: LocalBackend, orders: list[Order], *, alone: bool) -> list[Pixels]:
    """The pictures, one request after the other or all requests at once."""
    tasks = [Task(job_id=n, user_id=o.user_id, approved=approve(o.request, PLACE)) for n, o in enumerate(orders)]
    if alone:
        return [_pixels(backend.submit(task, lambda _: None).result()) for task in tasks]
    futures = [backend.submit(task, lambda _: None) for task in tasks]
    return [_pixels(future.result()) for future in futures]


def _pixels(result: Result) -> Pixels:
    png = result.pictures[0].png
    if png is None:
        raise SystemExit("a picture was withheld")
    return np.asarray(Image.open(io.BytesIO(png)))


def differences(before: list[Pixels], after: list[Pixels]) -> Counter[int]:
    """How many pictures have which largest difference."""
    pairs = zip(before, after, strict=True)
    return Counter(int(np.abs(one.astype(int) - other.astype(int)).max()) for one, other in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(SIZES), default="tiny")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--reproducible", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(
            str(build_random_model(Path(folder) / "model", options.model)), dtype="float32", device="cpu"
        )
    scale = replace(SCALES.get(options.model, Scale(requests=0, steps=(4, 5, 6))), requests=options.pictures)
    orders = [
        replace(order, request=replace(order.request, scheduler=SCHEDULERS[n % len(SCHEDULERS)]))
        for n, order in enumerate(make_orders("diverse", model.profile, scale))
    ]
    first, second = (start(model, orders, reproducible=options.reproducible) for _ in range(2))
    alone = paint(first, orders, alone=True)
    print("largest difference of a picture, in 1/255, and how many pictures have it")
    print("under full load:", dict(sorted(differences(alone, paint(first, orders, alone=False)).items())))
    print("after a restart, alone:", dict(sorted(differences(alone, paint(second, orders, alone=True)).items())))
    for backend in (first, second):
        backend.close()


if __name__ == "__main__":
    main()
