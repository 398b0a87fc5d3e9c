"""Single-file checkpoints from the command line.

python -m engine.checkpoint inspect FILE
python -m engine.checkpoint convert FILE DIR [--weights ema|raw]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from domain import ModelUnavailable
from engine.checkpoint.inspection import inspect
from engine.checkpoint.loading import convert
from engine.console import accept_any_console


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 if the file can be used, else 1."""
    parser = argparse.ArgumentParser(prog="python -m engine.checkpoint", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("inspect", help="what is in a checkpoint, without running it")
    show.add_argument("file", type=Path)
    make = commands.add_parser("convert", help="a diffusers folder with safetensors")
    make.add_argument("file", type=Path)
    make.add_argument("folder", type=Path)
    make.add_argument("--weights", choices=("ema", "raw"), default="ema")
    options = parser.parse_args(arguments)
    accept_any_console()
    if options.command == "inspect":
        report = inspect(options.file)
        sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        return 0 if report["problem"] is None else 1
    try:
        folder = convert(options.file, options.folder, weights=options.weights)
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
