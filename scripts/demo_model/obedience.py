"""Does the model paint what is asked? Measured over prompts whose combinations of tags were never trained."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm

from scripts.demo_model.attributes import SKINS, Portrait, draw_portraits
from scripts.demo_model.captions import make_prompt
from scripts.demo_model.probe import CLASSES, IGNORED, Probe, label, read_pictures

PROMPT_SEED, PICTURE_SEED = 20_260, 1000
STEPS, GUIDANCE = 20, 4.0
COLUMNS = tuple(CLASSES).index
BOYISH = ("spiky hair", "short hair", "mohawk", "bald", "curly hair")
NEGATIVES = {"boy": "1boy", "cat ears": "cat ears"}


@dataclass(frozen=True, slots=True)
class Report:
    """Shares of obeyed prompts by column, pictures out of `negatives_of` with an unwanted concept, and diversity."""

    prompts: int
    obeyed: dict[str, float]
    asked: dict[str, int]
    eyewear_false: float
    cat_ears_false: float
    negatives: dict[str, tuple[int, int]]
    negatives_of: int
    seed_distance: float
    open_distance: float
    prompt_distance: float


def load_pipeline(folder: Path) -> Any:
    """diffusers' own pipeline, as anyone would load the model."""
    import diffusers

    classes: Any = diffusers
    pipeline = classes.StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, torch_dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")


@torch.no_grad()
def paint(
    pipeline: Any,
    prompts: Sequence[str],
    *,
    first_seed: int = PICTURE_SEED,
    negative: str = "",
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    batch: int = 8,
) -> torch.Tensor:
    """(n, 3, 128, 128) in [-1, 1]; picture i has the seed `first_seed` + i, whatever the batch."""
    parts = []
    for start in tqdm(range(0, len(prompts), batch), desc="paint", unit="batch", mininterval=5):
        part = list(prompts[start : start + batch])
        seeds = [first_seed + start + i for i in range(len(part))]
        painted = pipeline(
            part,
            negative_prompt=[negative] * len(part),
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="pt",
        ).images
        parts.append(painted.float().cpu() * 2 - 1)
    return torch.cat(parts)


def held_out_prompts(count: int) -> tuple[list[Portrait], list[str]]:
    """Portraits of untrained combinations and the prompts that ask for them."""
    portraits = draw_portraits(count, PROMPT_SEED, held_out=True)
    rng = random.Random(PROMPT_SEED)
    return portraits, [make_prompt(portrait, rng) for portrait in portraits]


def measure(pipeline: Any, probe: Probe, *, prompts: int = 200, negatives: int = 100) -> Report:
    """The whole table."""
    portraits, texts = held_out_prompts(prompts)
    pictures = paint(pipeline, texts)
    read = read_pictures(probe, _small(pictures))
    wanted = torch.tensor([label(portrait) for portrait in portraits])
    obeyed, asked = _obeyed(read, wanted)
    named = [portrait["skin_name"] for portrait in portraits]
    obeyed["skin"] = sum(map(str.__eq__, read_skins(pictures), named)) / prompts
    asked["skin"] = prompts
    seeds, others = _diversity(pipeline, pictures, texts)
    plain = _small(paint(pipeline, ["portrait"] * negatives))
    return Report(
        prompts=prompts,
        obeyed=obeyed,
        asked=asked,
        eyewear_false=_false_share(read, wanted, "eyewear"),
        cat_ears_false=_false_share(read, wanted, "cat ears"),
        negatives=_measure_negatives(pipeline, probe, plain),
        negatives_of=negatives,
        seed_distance=seeds,
        open_distance=_distance(plain[::2], plain[1::2]),
        prompt_distance=others,
    )


def read_skins(pictures: torch.Tensor) -> list[str]:
    """The names of the skin colours nearest to the cheeks of (n, 3, 128, 128) pictures in [-1, 1]."""
    palette = torch.tensor([list(bytes.fromhex(color)) for color in SKINS.values()]) / 127.5 - 1
    cheeks = pictures[:, :, 101:107, 65:71].mean((2, 3))
    return [list(SKINS)[number] for number in torch.cdist(cheeks, palette).argmin(1).tolist()]


def _obeyed(read: torch.Tensor, wanted: torch.Tensor) -> tuple[dict[str, float], dict[str, int]]:
    """Right answers where the tag was asked for; for eyewear and cat ears, of the pictures that should have them."""
    known = wanted != IGNORED
    for name in ("eyewear", "cat ears"):
        known[:, COLUMNS(name)] &= wanted[:, COLUMNS(name)] > 0
    right = (read == wanted) & known
    names = [name for name in CLASSES if name not in ("eyes", "person")]
    asked = {name: int(known[:, COLUMNS(name)].sum()) for name in names}
    return {name: int(right[:, COLUMNS(name)].sum()) / max(1, asked[name]) for name in names}, asked


def _false_share(read: torch.Tensor, wanted: torch.Tensor, name: str) -> float:
    absent = wanted[:, COLUMNS(name)] == 0
    return float((read[absent, COLUMNS(name)] > 0).float().mean())


def _measure_negatives(pipeline: Any, probe: Probe, plain: torch.Tensor) -> dict[str, tuple[int, int]]:
    """How many pictures of "portrait" show the concept: `plain` ones, and as many with it as the negative prompt."""
    prompts, before = ["portrait"] * len(plain), read_pictures(probe, plain)
    results = {}
    for concept, negative in NEGATIVES.items():
        after = read_pictures(probe, _small(paint(pipeline, prompts, negative=negative)))
        results[concept] = (_count(before, concept), _count(after, concept))
    return results


def _count(read: torch.Tensor, concept: str) -> int:
    if concept == "cat ears":
        return int((read[:, COLUMNS("cat ears")] == 1).sum())
    styles = [CLASSES["hair style"].index(name) for name in BOYISH]
    boyish = torch.isin(read[:, COLUMNS("hair style")], torch.tensor(styles))
    return int((boyish | (read[:, COLUMNS("person")] == 1)).sum())


def _diversity(pipeline: Any, pictures: torch.Tensor, texts: Sequence[str]) -> tuple[float, float]:
    """Root mean square difference in [0, 1] of two seeds of one prompt, and of two different prompts."""
    again = paint(pipeline, texts[:24], first_seed=PICTURE_SEED + 5000)
    one, two = _small(pictures[:24]), _small(again)
    return _distance(one, two), _distance(one, _small(pictures[24:48]))


def _distance(one: torch.Tensor, two: torch.Tensor) -> float:
    return float((((one - two) / 2) ** 2).mean((1, 2, 3)).sqrt().mean())


def _small(pictures: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(pictures, size=(64, 64), mode="area")
