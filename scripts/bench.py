"""The engine side by side with stock diffusers: same weights, requests, seeds and solvers, in one process.

    python scripts/bench.py --workload mixed --model tiny --json

    B0   diffusers' StableDiffusionPipeline, one request after the other
    B1   the same with naive batching: equal settings together, at most eight
    B0c  and B1c: on CUDA with the engine's layout and compile switches, so that batching gets no credit for them
    E    the engine: fair queue, step-level batching

Variants are interleaved round by round, and a speed-up is the median of the rounds' ratios. On a CPU it counts the
process's own CPU seconds on one thread, because others may use the machine too; on CUDA it counts wall time. Beside
every speed stands the parity: how far the engine's pictures (floats in 0…1) are from B0's. `--arrivals poisson` sends
requests at a share of B1's measured capacity instead of all at once, and compares latencies. With --json the last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from engine.sampling.model import LoadedModel, load_model
from scripts.benchmark.measures import measure
from scripts.benchmark.workloads import FULL, SCALES, WORKLOADS
from scripts.random_model import SIZES, build_random_model


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
    dtype = options.dtype or ("float16" if device == "cuda" else "float32")
    with tempfile.TemporaryDirectory() as folder:
        path = _model_path(options.model, Path(folder))
        model = _load(path, dtype, device)
        baseline = model if device == "cuda" or dtype == "float32" else _load(path, "float32", device)
        scale = SCALES.get(options.model, FULL)
        measures = measure(model, baseline, scale, options)
    print(measures.table())
    if options.json:
        print(json.dumps(measures.as_json()))
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, default="mixed")
    parser.add_argument("--model", default="tiny", help="tiny, mid, sd14-random, demo, or a path")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, help="how many requests (default: by model)")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="the engine's (B0's is float32 on a CPU)"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of one operation")
    parser.add_argument("--max-rows", type=int, default=0, help="the most rows a call (default: as many as pay)")
    parser.add_argument("--reproducible", action="store_true", help="pad every call to the same number of rows")
    parser.add_argument("--preset", choices=("fast",), help="give the engine's requests the preset's guidance interval")
    parser.add_argument("--arrivals", choices=("backlog", "poisson"), default="backlog")
    parser.add_argument("--load", type=float, default=0.8, help="with poisson: the share of B1's capacity")
    parser.add_argument("--compile", action="store_true", help="on CUDA: compile, and time B0c and B1c too")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser.parse_args(arguments)


def _model_path(name: str, folder: Path) -> str | None:
    if name == "demo":
        return None
    return str(build_random_model(folder / name, name)) if name in SIZES else name


def _load(path: str | None, dtype: str, device: str) -> LoadedModel:
    return load_model(path, dtype=dtype, device=device)


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    sys.exit(main())
