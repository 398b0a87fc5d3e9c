"""How many harmless pictures the picture check withholds, and what it costs.

    python scripts/measure_safety.py FOLDER… [--shock-model ONNX] [--anime-model ONNX] [--sd-checker FOLDER]

For each folder: pictures, how many are withheld in each kind of place (ordinary and strict check), CPU milliseconds a
picture, and the highest of every score a limit uses. The pictures must be harmless: all that is withheld is false.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PIL import Image

from domain import SafetyLevel, SafetyReport
from engine.safety import SafetyChecker, load_safety_checker
from engine.safety.thresholds import LIMITS

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".gif"}


PLACES = [(level, strict) for level in SafetyLevel for strict in (False, True)]
Place = tuple[SafetyLevel, bool]


def judge_folder(checker: SafetyChecker, folder: Path) -> tuple[dict[Place, list[SafetyReport]], float]:
    """For each kind of place a report on every picture in `folder` (not deeper), and the CPU milliseconds of one.

    Each is judged again: which of whole and busiest part a report tells of depends on the place's limits.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    reports: dict[Place, list[SafetyReport]] = {place: [] for place in PLACES}
    seconds = 0.0
    for path in paths:
        with Image.open(path) as image:
            image.load()
            start = time.process_time()
            for level, strict in PLACES:
                reports[level, strict] += checker.check([image], level, strict=strict)
            seconds += time.process_time() - start
    return reports, 1000 * seconds / max(len(paths) * len(PLACES), 1)


def describe(name: str, reports: dict[Place, list[SafetyReport]], milliseconds: float) -> str:
    names = sorted({score for limit in LIMITS for score in limit.weights})
    everything = [report for some in reports.values() for report in some]
    highest = {name: max((report.scores.get(name, 0.0) for report in everything), default=0.0) for name in names}
    counts = [
        f"{level.value}{' strict' if strict else ''} {sum(not report.is_safe for report in some)}"
        for (level, strict), some in reports.items()
    ]
    scores = ", ".join(f"{name} {value:.2f}" for name, value in highest.items() if value)
    pictures = len(everything) // len(PLACES)
    return f"{name}: {pictures} pictures, {milliseconds:.0f} ms\n  withheld: {', '.join(counts)}\n  highest: {scores}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--shock-model", type=Path)
    parser.add_argument("--anime-model", type=Path)
    parser.add_argument("--sd-checker", type=Path)
    args = parser.parse_args()
    checker = load_safety_checker(
        shock_model=args.shock_model, anime_model=args.anime_model, sd_checker=args.sd_checker
    )
    checker.check([Image.new("RGB", (64, 64))], SafetyLevel.STRICT)  # loading is not counted
    for folder in args.folders:
        print(describe(folder.name, *judge_folder(checker, folder)), flush=True)


if __name__ == "__main__":
    main()
