"""What a second pass makes of a picture, at every strength and in windows; and how much memory a large one takes.

    python scripts/measure_upscale.py [--pictures 12] [--factor 2] [--strengths 0 0.05 0.2 0.35 0.5 0.7] [--sheet FILE]
    python scripts/measure_upscale.py --memory [--dtype bfloat16] [--size 512x768] [--steps 2]

The first paints with the demo model and prints for each second pass: how far the picture, made small again, is from the
first pass's (PSNR; a second head brings it below 15 dB), and the share of the prompt's tags that the probe still reads.
The sheet shows the first eight pictures, one row for each line of the table.
The second paints one upscaled picture with random weights in the shapes of Stable Diffusion 1.4, and prints the
process's peak of memory (Linux).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from torch.nn import functional

from domain import Place, Request, Task
from engine.policy import approve
from engine.request.passes import enlarged
from engine.sampling.batcher import Batcher
from engine.sampling.decoding import Decoder
from engine.sampling.enlarging import enlarge, enlarge_image
from engine.sampling.model import load_model
from engine.sampling.pipeline import Pipeline, to_images
from engine.sampling.sample import InitLatents
from engine.worker.running_job import RunningJob
from scripts.demo_model.obedience import held_out_prompts
from scripts.demo_model.probe import IGNORED, label, load_probe, read_pictures
from scripts.demo_model.sheets import save_sheet

ROOT = Path(__file__).resolve().parent.parent
PROBE = Path(__file__).parent / "demo_model" / "probe.safetensors"
SHOWN = 8


def paint(pipeline: Pipeline, requests: Sequence[Request], inits: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
    """Latents of every request's picture, painted together; with `inits` [n, 4, h, w] on from those."""
    batcher, samples = Batcher(pipeline), []
    for number, request in enumerate(requests):
        task = Task(job_id=number, user_id=number, approved=approve(request, Place()))
        job = RunningJob.of(task, pipeline.model.profile)
        job.init_latents = None if inits is None else InitLatents(inits[number])
        samples += batcher.admit([job])[0]
    while not all(sample.is_finished for sample in samples):
        batcher.step()
    return torch.stack([sample.latents for sample in samples])


def decoded(pipeline: Pipeline, latents: torch.Tensor) -> torch.Tensor:
    """Pixels [n, 3, h, w], one picture after the other."""
    return torch.cat([pipeline.decode(one[None]) for one in latents])


class SecondPasses:
    """The first pass of a number of fixed prompts and seeds, and all that can be made of it."""

    def __init__(self, pictures: int, factor: float) -> None:
        self._whole = load_model(None, device="cpu")
        profile = self._whole.profile
        native = profile.shapes["square"][0]
        # The model with windows of its own size, and the model that paints everything at once.
        self._windowed = Pipeline(replace(self._whole, profile=replace(profile, max_pixels=native**2)))
        self._pipeline = Pipeline(replace(self._whole, profile=replace(profile, max_pixels=native**2 * 16)))
        portraits, prompts = held_out_prompts(pictures)
        self._wanted = torch.tensor([label(portrait) for portrait in portraits])
        self._probe, _ = load_probe(PROBE)
        self._requests = [
            Request(
                prompt=prompt, width=native, height=native, num_inference_steps=profile.num_inference_steps,
                guidance_scale=profile.guidance_scale, scheduler=profile.scheduler, seed=seed, upscale=factor,
            )
            for seed, prompt in enumerate(prompts)
        ]  # fmt: skip
        self._size = enlarged(self._requests[0], profile.unit)
        self._latents = paint(self._pipeline, [replace(request, upscale=1.0) for request in self._requests])
        self._pixels = decoded(self._pipeline, self._latents)

    def rows(self, strengths: Sequence[float]) -> Iterator[tuple[str, torch.Tensor]]:
        """A name and pixels [n, 3, h, w] for each way to enlarge."""
        yield (
            "Lanczos, no second pass",
            torch.cat([_as_pixels(self._pipeline, one, self._size) for one in self._pixels]),
        )
        shape = (self._size[1] // self._pipeline.factor, self._size[0] // self._pipeline.factor)
        starts = {
            "latents stretched": functional.interpolate(self._latents, shape, mode="bicubic"),
            "pixels stretched": torch.stack([enlarge(self._pipeline, one, self._size) for one in self._latents]),
        }
        for start, latents in starts.items():
            for how, pipeline in (("whole", self._pipeline), ("windows", self._windowed)):
                for strength in strengths:
                    if strength or pipeline is self._pipeline:
                        yield f"{start}, {how}, {strength:g}", self._second(pipeline, latents, strength)

    def score(self, pixels: torch.Tensor) -> tuple[float, float, float]:
        """PSNR to the first pass (mean and worst), and the share of tags that the probe reads."""
        small = functional.interpolate(pixels, self._pixels.shape[-2:], mode="area")
        psnr = -10 * ((small - self._pixels) / 2).square().mean((1, 2, 3)).clamp(min=1e-9).log10()
        read = read_pictures(self._probe, functional.interpolate(pixels, (64, 64), mode="area"))
        known = self._wanted != IGNORED
        return float(psnr.mean()), float(psnr.min()), float(((read == self._wanted) & known).sum() / known.sum())

    def _second(self, pipeline: Pipeline, latents: torch.Tensor, strength: float) -> torch.Tensor:
        if strength:
            width, height = self._size
            changes = {"width": width, "height": height, "strength": strength, "init_image": b"-", "upscale": 1.0}
            latents = paint(pipeline, [replace(request, **changes) for request in self._requests], list(latents))
        return decoded(self._pipeline, latents)


def _as_pixels(pipeline: Pipeline, pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[3, h, w] as [1, 3, …] in another size, as an upscaled picture of the demo model is delivered."""
    image = enlarge_image(to_images(pixels[None])[0], size)
    return torch.as_tensor(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def measure_pictures(options: argparse.Namespace) -> None:
    """Print the table, and write the sheet."""
    passes = SecondPasses(options.pictures, options.factor)
    print(f"{options.pictures} pictures, {options.factor:g} times as large")
    print("| start, how, strength | PSNR to the first pass | worst | tags read |\n| --- | --- | --- | --- |")
    shown: list[torch.Tensor] = []
    for name, pixels in passes.rows(options.strengths):
        mean, worst, obeyed = passes.score(pixels)
        print(f"| {name} | {mean:.1f} dB | {worst:.1f} dB | {obeyed:.2f} |", flush=True)
        shown.append(pixels[:SHOWN])
        if options.sheet is not None:
            save_sheet(torch.cat(shown), options.sheet, min(SHOWN, options.pictures))


def measure_memory(options: argparse.Namespace) -> None:
    """Paint one upscaled picture of random weights, and print the peaks."""
    width, height = (int(side) for side in options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, whose memory is not counted.
        how = f"--size sd14-random --dtype {options.dtype}"
        build = [sys.executable, "-m", "scripts.random_model", folder, *how.split()]
        subprocess.run(build, check=True, cwd=ROOT)
        model = load_model(folder, dtype=options.dtype, device="cpu")
    pipeline = Pipeline(model)
    request = Request(
        prompt="tree", width=width, height=height, num_inference_steps=options.steps, guidance_scale=7.5,
        scheduler="ddim", seed=0, upscale=options.factor,
    )  # fmt: skip
    task = Task(job_id=1, user_id=1, approved=approve(request, Place()))
    batcher, decoder = Batcher(pipeline), Decoder(pipeline)
    report = _Peaks()
    report("loaded")
    (sample,) = batcher.admit([RunningJob.of(task, model.profile)])[0]
    while not sample.is_finished:
        batcher.step()
        report(f"call {sample.step} of {sample.total_steps}, latents {tuple(sample.latents.shape[-2:])}")
    decoder.add(sample)
    (picture,) = decoder.decode(float("inf"))
    report(f"decoded to {picture.image.size if picture.image else picture.failure}")


class _Peaks:
    """Prints the peak of resident memory since the last time it was asked, in GB (10⁹ bytes), weights included."""

    def __init__(self) -> None:
        self._seconds = time.process_time()

    def __call__(self, name: str) -> None:
        fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        now, peak = (int(fields[key].split()[0]) * 1024 / 1e9 for key in ("VmRSS", "VmHWM"))
        seconds = time.process_time() - self._seconds
        print(f"{name}: now {now:.2f} GB, peak {peak:.2f} GB, {seconds:.0f} CPU seconds so far", flush=True)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins again (proc_pid_clear_refs(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--factor", type=float, default=2.0)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0, 0.05, 0.2, 0.35, 0.5, 0.7])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--size", default="512x768")
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    (measure_memory if options.memory else measure_pictures)(options)


if __name__ == "__main__":
    main()
