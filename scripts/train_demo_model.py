"""Make the demo model: render its pictures, train it, export it, measure it.

    pip install -e '.[train]'                         # and Node.js 18 or newer
    python scripts/train_demo_model.py                # everything; go on after an interruption with the same command
    python scripts/train_demo_model.py --continue-from models/demo --target models/next  # train those weights on
    python scripts/train_demo_model.py --measure      # only the obedience table of the model in models/demo
    python scripts/train_demo_model.py --sheets       # only the sheets of pictures

Each stage trains for a share of --minutes on a schedule of wall time, so that it always ends annealed; a GPU is used
if there is one. Pictures, caches and checkpoints stay in --folder, outside git.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.demo_model.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
HELD_OUT_PICTURES = 2000
PROBE_PICTURES = 14_000
PROBE_FILE = ROOT / "scripts" / "demo_model" / "probe.safetensors"
IMAGES = ROOT / "docs" / "images"
SHEET_PICTURES = 48
STAGE_SHARES = {"autoencoder_minutes": 0.10, "diffusion_minutes": 0.55, "decoder_minutes": 0.35}


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _parse(arguments)
    sys.path.insert(0, str(ROOT))  # this file is a script; its package lies beside it
    from scripts.demo_model.plan import Plan

    plan = Plan(
        folder=options.folder,
        pictures=options.pictures,
        processes=options.processes,
        seed=options.seed,
        **stage_minutes(options.minutes, continued=options.continue_from is not None),
    )
    everything = not (options.measure or options.sheets)
    if everything:
        train(plan, options.continue_from)
        export(plan, options.target)
    if everything or options.sheets:
        draw_sheets(options.target, options.folder)
    if everything or options.measure:
        measure(options.target)


def stage_minutes(minutes: float, *, continued: bool) -> dict[str, float]:
    """Every stage's share of the time; a continuation keeps the autoencoder's latents as they are."""
    shares = {name: share for name, share in STAGE_SHARES.items() if not (continued and name == "autoencoder_minutes")}
    return {name: minutes * share / sum(shares.values()) for name, share in shares.items()}


def train(plan: Plan, published: Path | None = None) -> None:
    """Every stage that has not finished yet, in order; from `published` weights on if they are given."""
    from scripts.demo_model import autoencoder, decoder, diffusion
    from scripts.demo_model.attributes import draw_portraits
    from scripts.demo_model.continuation import unpack
    from scripts.demo_model.pictures import load_portraits, render
    from scripts.demo_model.plan import is_finished, run_stage
    from scripts.demo_model.tokens import train_tokenizer

    if not (plan.folder / "train.jsonl").is_file():
        render(draw_portraits(plan.pictures, plan.seed), plan.folder, "train")
    if published is not None:
        unpack(published, plan)
    if not (plan.folder / "tokenizer").is_dir():
        train_tokenizer(load_portraits(plan.folder, "train"), plan.folder / "tokenizer")
    if not (plan.folder / "latents.pt").is_file():
        if not is_finished(plan, autoencoder.STAGE):
            run_stage(autoencoder.train, plan, 29501)
        autoencoder.encode_pictures(plan)
    if not is_finished(plan, diffusion.STAGE):
        run_stage(diffusion.train, plan, 29502)
    if not is_finished(plan, decoder.STAGE):
        run_stage(decoder.train, plan, 29503)


def export(plan: Plan, target: Path) -> None:
    """The diffusers folder, and the probe that the measurement needs."""
    from scripts.demo_model.export import export_model

    export_model(plan, target)
    if not (plan.folder / PROBE_FILE.name).is_file():
        train_probe(plan)
    shutil.copyfile(plan.folder / PROBE_FILE.name, PROBE_FILE)


def train_probe(plan: Plan) -> None:
    """Train the probe and save it with its accuracy on rendered pictures that it has not seen."""
    from scripts.demo_model import probe
    from scripts.demo_model.attributes import draw_portraits
    from scripts.demo_model.pictures import halve, load_pictures, load_portraits, render

    if not (plan.folder / "held.jsonl").is_file():
        render(draw_portraits(HELD_OUT_PICTURES, plan.seed + 1), plan.folder, "held")
    count = min(PROBE_PICTURES, plan.pictures)
    pictures = halve(load_pictures(plan.folder, "train", count=count))
    trained = probe.train_probe(pictures, load_portraits(plan.folder, "train")[:count])
    read = probe.read_pictures(trained, probe.to_float(halve(load_pictures(plan.folder, "held"))))
    ceiling = probe.accuracies(read, load_portraits(plan.folder, "held"))
    probe.save_probe(trained, ceiling, plan.folder / PROBE_FILE.name)


def draw_sheets(target: Path, folder: Path) -> None:
    """48 painted pictures at fixed seeds, not chosen, and 48 rendered ones of the same tags."""
    from scripts.demo_model.obedience import held_out_prompts, load_pipeline, paint
    from scripts.demo_model.pictures import load_pictures, render, to_planes
    from scripts.demo_model.sheets import save_sheet

    portraits, prompts = held_out_prompts(SHEET_PICTURES)
    save_sheet(paint(load_pipeline(target), prompts), IMAGES / "demo-model-painted.png")
    render(portraits, folder, "sheet")
    save_sheet(to_planes(load_pictures(folder, "sheet")), IMAGES / "demo-model-training.png")


def measure(target: Path) -> None:
    """Print the obedience table and write it into the model's card."""
    from scripts.demo_model.card import format_report, write_measured
    from scripts.demo_model.obedience import load_pipeline
    from scripts.demo_model.obedience import measure as measure_model
    from scripts.demo_model.probe import load_probe

    probe, ceiling = load_probe(PROBE_FILE)
    text = format_report(measure_model(load_pipeline(target), probe), ceiling)
    write_measured(target / "README.md", text)
    print(text)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "work" / "demo-model", help="pictures and checkpoints")
    parser.add_argument("--target", type=Path, default=ROOT / "models" / "demo", help="where the model is written")
    parser.add_argument("--minutes", type=float, default=160.0, help="training time on a CPU; 20 are enough on a GPU")
    parser.add_argument("--pictures", type=int, default=30_000)
    parser.add_argument("--processes", type=int, default=2, help="one a core")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument(
        "--continue-from", type=Path, help="a diffusers folder whose weights are trained on, not new ones"
    )
    parser.add_argument("--measure", action="store_true", help="measure the model and do nothing else")
    parser.add_argument("--sheets", action="store_true", help="draw the sheets and do nothing else")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
