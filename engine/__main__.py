"""Paint one request without Discord or a database: same policy, same safety checker, same pictures.

    python -m engine "1girl, pink hair, smile" -o out.png --seed 7

Model, device and the like come from the same settings as the bot's (`.env`). Exit status: 0 painted, 1 refused,
withheld or failed, 2 the request or the settings are wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from domain import (
    InvalidRequest,
    ModelProfile,
    ModelUnavailable,
    Place,
    Progress,
    Request,
    RequestOptions,
    Result,
    Task,
    UserError,
)
from engine.console import accept_any_console
from engine.request.presets import PRESETS
from engine.worker.backend import Backend
from settings import Settings, SettingsError, load_settings  # noqa: TID251  a composition root of its own

BackendFactory = Callable[[Settings], Backend]


def main(arguments: list[str] | None = None, make_backend: BackendFactory | None = None) -> int:
    """Run the command line; returns the exit status. `make_backend` builds the backend from the settings."""
    accept_any_console()
    options = _parse(arguments)
    if unwritable := _why_not_writable(options.output):
        return _fail(unwritable, 2)
    try:
        settings = load_settings()
        changed = {"model": options.model, "low_vram": options.low_vram or None}
        settings = settings.model_copy(update={key: value for key, value in changed.items() if value is not None})
        if make_backend is None:
            from engine.worker.assembly import make_backend
        backend = make_backend(settings)
    except (SettingsError, ModelUnavailable) as error:
        return _fail(str(error), 2)
    try:
        result = paint(backend, make_request(options, backend.profile))
    except (InvalidRequest, OSError) as error:
        return _fail(str(error), 2)
    except UserError as error:
        return _fail(str(error), 1)
    finally:
        backend.close()
    return save(result, options.output)


class _Parser(argparse.ArgumentParser):
    """Answers a mistake with one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}. `{self.prog} --help` lists what there is.\n")


def _why_not_writable(output: Path) -> str | None:
    """What is wrong with the place for the picture: better said before it is painted than after."""
    if output.suffix.lower() != ".png":
        return f"{output} must end in .png: pictures are written as PNG files only."
    if output.is_dir():
        return f"{output} is a folder; name a file."
    if not os.access(output.parent, os.W_OK | os.X_OK):
        return f"{output} can't be written: {output.parent} is no folder that may be written to."
    return None


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m engine", description="Paint one picture without Discord.")
    parser.add_argument("prompt", help="what to paint, best as tags: 1girl, pink hair, smile")
    parser.add_argument("-o", "--output", type=Path, default=Path("out.png"), help="the file (default: out.png)")
    parser.add_argument("--negative", default="", help="what to leave out")
    parser.add_argument("--seed", type=int, help="the same seed and words give the same picture (default: a new one)")
    parser.add_argument("--steps", type=int, help="default: the model's")
    parser.add_argument("--guidance", type=float, help="how closely to follow the prompt (default: the model's)")
    parser.add_argument("--scheduler", help="how noise becomes a picture (default: the model's)")
    parser.add_argument("--width", type=int, help="pixels (default: the model's)")
    parser.add_argument("--height", type=int, help="pixels (default: the model's)")
    parser.add_argument("--images", type=int, default=1, help="how many; picture i is painted with seed + i")
    parser.add_argument("--preset", choices=PRESETS, help="a named set of steps, scheduler and guidance")
    parser.add_argument("--clip-skip", type=int, default=1, choices=(1, 2), help="which layer of the text encoder")
    parser.add_argument("--start", type=Path, help="a start picture to paint on from")
    parser.add_argument("--mask", type=Path, help="with --start: paint where this picture is white")
    parser.add_argument("--strength", type=float, help="with --start: how much may change, up to 1")
    parser.add_argument("--upscale", type=float, default=1.0, help="make it larger, up to 2, with a second pass")
    parser.add_argument(
        "--low-vram", action="store_true", help="for graphics cards with about 4 GB (default: LOW_VRAM)"
    )
    parser.add_argument("--model", help="a checkpoint, a diffusers folder or a name (default: MODEL, or the demo)")
    return parser.parse_args(arguments)


def make_request(options: argparse.Namespace, profile: ModelProfile) -> Request:
    """What the command line asks for, with the model's own values for the rest. Raises OSError, InvalidRequest."""
    from engine.prepare import complete

    asked = RequestOptions(
        prompt=options.prompt,
        negative_prompt=options.negative,
        width=options.width,
        height=options.height,
        num_inference_steps=options.steps,
        guidance_scale=options.guidance,
        scheduler=options.scheduler,
        seed=options.seed,
        images=options.images,
        preset=options.preset,
        init_image=None if options.start is None else options.start.read_bytes(),
        mask_image=None if options.mask is None else options.mask.read_bytes(),
        strength=options.strength,
        upscale=options.upscale,
        clip_skip=options.clip_skip,
    )
    return complete(asked, profile)


def paint(backend: Backend, request: Request) -> Result:
    """Paint with a progress bar on standard error. Raises UserError. Judged as strictly as a direct message."""
    from tqdm import tqdm

    from engine.policy import approve

    backend.validate(request)
    approved = approve(request, Place())
    with tqdm(unit="step", dynamic_ncols=True) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total_steps
            bar.update(progress.step - bar.n)

        return backend.submit(Task(job_id=1, user_id=0, approved=approved), show).result()


def save(result: Result, output: Path) -> int:
    """Write the released pictures; with several, `out.png` becomes `out-1.png`, `out-2.png`, …"""
    for number, picture in enumerate(result.pictures, start=1):
        path = output if len(result.pictures) == 1 else output.with_stem(f"{output.stem}-{number}")
        if picture.png is None:
            why = "could not be checked" if picture.safety.verdict == "error" else "did not pass the picture check"
            sys.stderr.write(f"The picture with seed {picture.seed} {why} and was withheld.\n")
            continue
        try:
            path.write_bytes(picture.png)
        except OSError as error:
            return _fail(f"{path} can't be written: {error.strerror}.", 2)
        print(f"{path}  {picture.width}×{picture.height}  seed {picture.seed}")
    return 0 if result.released else 1


def _fail(sentence: str, status: int) -> int:
    sys.stderr.write(sentence + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
