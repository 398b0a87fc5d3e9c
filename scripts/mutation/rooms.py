"""The rooms of a mutation run: what is mutated, and how a room is called in the table."""

from __future__ import annotations

from pathlib import Path

ROOMS: dict[str, tuple[str, ...]] = {
    "service": ("service/*.py",),
    "db": ("db/*.py",),
    "domain": ("domain/*.py",),
    "queue": ("engine/worker/fair_queue.py",),
    "worker": (
        "engine/worker/gpu_loop.py",
        "engine/worker/local_backend.py",
        "engine/worker/open_jobs.py",
        "engine/worker/postprocess.py",
        "engine/worker/postprocess_thread.py",
        "engine/worker/previews.py",
        "engine/worker/running_job.py",
        "engine/worker/throughput.py",
        "engine/worker/init_image.py",
    ),
    "batcher": ("engine/sampling/batcher.py", "engine/sampling/row_selection.py", "engine/sampling/sample.py"),
    "solvers": ("engine/sampling/solvers.py", "engine/sampling/solver_formulas.py"),
    "pickle reader": ("engine/checkpoint/pickle_reader.py", "engine/checkpoint/safe_pickle.py"),
    "policy": ("engine/policy/*.py",),
    "cogs": ("cogs/*.py", "cogs/*/*.py"),
}
# Command lines of their own, which print; what they decide lies in the other files.
LEFT_OUT = ("engine/policy/__main__.py",)


def modules_of(room: str, root: Path = Path()) -> list[str]:
    """The files of a room, as paths from the project's folder."""
    found = {path.relative_to(root).as_posix() for pattern in ROOMS[room] for path in root.glob(pattern)}
    return sorted(name for name in found if name not in LEFT_OUT and not name.endswith("__init__.py"))
