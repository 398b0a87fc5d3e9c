"""Give hostile checkpoints and pictures to the readers of the bot; every one must end in a sentence or be read.

    nice -n 19 python -m scripts.hostile_files [--count 2000] [--seed 1]

Each file is read in a process of its own, forked from one that has everything loaded. Counted are tracebacks, code that
ran (each attack touches a mark), peaks of memory over 1 GiB (of the whole process, PyTorch included) and more than 5 s
of CPU time. Exit status 1 if there was any; the seed and number of each is printed, so that it can be made again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain import ModelUnavailable, PictureRefused
from engine.checkpoint.inspection import inspect
from engine.checkpoint.loading import ensure_converted
from engine.images.fingerprint import fingerprint
from engine.images.metadata import read_png
from engine.request.init_image import read_init_image, read_mask
from scripts.hostile import images, pickles
from scripts.random_checkpoint import build_random_checkpoint

MAX_MEMORY_KIB = 2**20
MAX_CPU_SECONDS = 5.0
KILL_CPU_SECONDS, KILL_ADDRESS_BYTES = 20, 12 * 2**30
PICTURE = (64, 64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reading one file came to."""

    kind: str
    number: int
    words: str
    cpu_seconds: float
    memory_kib: int
    ran_code: bool

    @property
    def faults(self) -> list[str]:
        """What must not happen, if it did."""
        found = [("traceback", self.words.startswith("traceback")), ("code run", self.ran_code),
                 ("memory", self.memory_kib > MAX_MEMORY_KIB), ("CPU", self.cpu_seconds > MAX_CPU_SECONDS)]  # fmt: skip
        return [name for name, is_so in found if is_so]


def read_checkpoint(path: Path) -> str:
    """What the bot does with MODEL, and what the person does who asks about the file."""
    json.dumps(inspect(path))
    try:
        ensure_converted(path, cache=path.parent / "converted")
    except ModelUnavailable as error:
        return f"refused: {error}"
    return "read"


def read_picture(path: Path) -> str:
    """What the bot does with start pictures, masks, and pictures whose maker is looked for."""
    data, words = path.read_bytes(), "read"
    for read in (
        lambda: read_init_image(data, PICTURE),
        lambda: read_mask(data, PICTURE, 8),
        lambda: fingerprint(data),
    ):
        try:
            read()
        except (PictureRefused, OSError) as error:
            words = f"refused: {error}"
    read_png(data)
    return words


def make_cases(count: int, seed: int, folder: Path) -> list[tuple[str, Callable[[random.Random], bytes]]]:
    """`count` makers with their kinds: 40 % damaged checkpoints, 30 % pickles, 30 % pictures."""
    bases = [
        build_random_checkpoint(folder / f"base{n}.ckpt", layout, legacy=legacy).read_bytes()
        for n, (layout, legacy) in enumerate((("fp32", False), ("fp32", True), ("safetensors", False), ("full", False)))
    ]
    # The small architecture's numbers also lie beside each case, so that a file whose damage does no harm is read.
    (folder / "base0.yaml").rename(folder / "case.yaml")
    dice, mark = random.Random(seed), str(folder / "mark")
    cases: list[tuple[str, Callable[[random.Random], bytes]]] = []
    for _ in range(count):
        share = dice.random()
        if share < 0.4:
            base = dice.choice(bases)
            cases.append(("checkpoint damaged", lambda own, base=base: damaged_checkpoint(own, base)))
        elif share < 0.7:
            kind = dice.choice(list(pickles.MAKERS))
            cases.append(
                (f"pickle {kind}", lambda own, kind=kind: pickles.wrapped(own, pickles.MAKERS[kind](own, mark)))
            )
        else:
            kind = dice.choice(list(images.MAKERS))
            cases.append((f"picture {kind}", images.MAKERS[kind]))
    return cases


def damaged_checkpoint(dice: random.Random, base: bytes) -> bytes:
    """Damage at the table of contents as often as in the numbers: they lie at either end, and are small."""
    if dice.random() < 0.3:
        return images.damaged(dice, base)
    edge = min(dice.choice((200, 4_000, 200_000)), len(base))
    if dice.random() < 0.5:
        return images.damaged(dice, base[:edge]) + base[edge:]
    return base[:-edge] + images.damaged(dice, base[-edge:])


def try_one(kind: str, number: int, data: bytes, folder: Path) -> Outcome:
    """Read one file in a child process."""
    path, mark = folder / "case.ckpt", folder / "mark"
    path.write_bytes(data)
    mark.unlink(missing_ok=True)
    reader = read_picture if kind.startswith("picture") else read_checkpoint
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        os.write(send, _in_child(reader, path).encode()[:4_000])
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        words = pipe.read().decode(errors="replace")
    _, status, usage = os.wait4(pid, 0)
    if status:
        words = f"traceback: the process was ended by {signal.Signals(status & 0x7F).name}"
    return Outcome(kind, number, words, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, mark.exists())


def _in_child(reader: Callable[[Path], str], path: Path) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (KILL_CPU_SECONDS, KILL_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (KILL_ADDRESS_BYTES, KILL_ADDRESS_BYTES))
    try:
        return reader(path)
    except BaseException:  # noqa: BLE001  whatever gets here is what is counted
        return f"traceback: {traceback.format_exc()}"


def table(outcomes: list[Outcome]) -> str:
    """One line a kind: files, how many were read, and the worst of each count."""
    rows = ["| files | count | read | tracebacks | code run | most CPU | most memory |", "| --- " * 7 + "|"]
    for kind in [*sorted({outcome.kind for outcome in outcomes}), ""]:
        some = [outcome for outcome in outcomes if kind in ("", outcome.kind)]
        faults = [fault for outcome in some for fault in outcome.faults]
        rows.append(
            f"| {kind or '**all**'} | {len(some):,} | {sum(one.words == 'read' for one in some):,} "
            f"| {faults.count('traceback')} | {faults.count('code run')} "
            f"| {max(one.cpu_seconds for one in some):.1f} s | {max(one.memory_kib for one in some) // 1024} MiB |"
        )
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one case")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    _warm_up()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (kind, make) in enumerate(make_cases(options.count, options.seed, folder)):
            if options.only in (None, number):
                data: Any = make(random.Random(f"{options.seed} {number}"))
                outcomes.append(try_one(kind, number, data, folder))
                if outcomes[-1].faults or options.only is not None:
                    print(f"{number}: {outcomes[-1].faults} {outcomes[-1]}", flush=True)
    print(table(outcomes))
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def _warm_up() -> None:
    """Load what the readers load when they are first used, so that the children share it."""
    import imagehash
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

    torch.set_num_threads(1)  # a pool of threads would not survive the fork
    del AutoencoderKL, UNet2DConditionModel, CLIPTextModel, imagehash


if __name__ == "__main__":
    sys.exit(main())
