"""`python -m engine.safety FILE…`: one JSON object a line with the picture check's verdict on each file."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from domain import SafetyLevel, SafetyReport, SafetyVerdict
from engine.console import accept_any_console
from engine.request.image_file import open_image
from engine.safety import SafetyChecker, load_safety_checker


def judge_file(checker: SafetyChecker, path: Path, level: SafetyLevel, strict: bool) -> SafetyReport:
    """The report on one picture file; a file that is no readable picture is an error."""
    try:
        return checker.check([open_image(path.read_bytes())], level, strict=strict)[0]
    except OSError as error:
        logging.getLogger(__name__).error("%s can't be read: %s", path, error)
        return SafetyReport(verdict=SafetyVerdict.ERROR)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m engine.safety", description="Judge picture files.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    levels = [level.value for level in SafetyLevel]
    parser.add_argument("--level", choices=levels, default="standard", help="the place: strict means direct messages")
    parser.add_argument("--strict", action="store_true", help="judge as after a prompt with an age word")
    parser.add_argument("--shock-model", type=Path, metavar="ONNX", help="image-safety-classifier-s, for gore")
    parser.add_argument("--anime-model", type=Path, metavar="ONNX", help="an anime rating classifier")
    parser.add_argument("--sd-checker", type=Path, metavar="FOLDER", help="diffusers' StableDiffusionSafetyChecker")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """0 if every file was judged, 1 if one could not be."""
    accept_any_console()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    args = parse(arguments)
    checker = load_safety_checker(
        shock_model=args.shock_model, anime_model=args.anime_model, sd_checker=args.sd_checker
    )
    failed = False
    for path in args.files:
        report = judge_file(checker, path, SafetyLevel(args.level), args.strict)
        failed = failed or report.verdict == "error"
        line = {"file": str(path), "verdict": report.verdict, "clause": report.clause, "scores": dict(report.scores)}
        print(json.dumps(line, ensure_ascii=False), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
