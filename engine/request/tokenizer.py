"""CLIP's tokenizer without a network: 49,408 tokens built from the merges in `models/clip-tokenizer/`.

A single checkpoint holds weights and no vocabulary. The vocabulary follows from the merges alone (the 256 bytes, the
same with the end-of-word mark, one token a merge, two marks), so only the merges are stored.
Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021, section 2.4.
"""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

MERGES_FILE = Path(__file__).parents[2] / "models" / "clip-tokenizer" / "merges.txt.xz"
START, END = "<|startoftext|>", "<|endoftext|>"
WINDOW = 77  # positions of CLIP's text encoder, start and end marks included


def clip_vocabulary(merges_file: Path = MERGES_FILE) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token → id, and the merges by rank."""
    with lzma.open(merges_file, "rt", encoding="utf-8") as file:
        merges = [_pair(line) for line in file]
    letters = _byte_letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(left + right for left, right in merges), START, END]
    return {token: number for number, token in enumerate(tokens)}, merges


def clip_tokenizer() -> Any:
    """transformers' CLIPTokenizer with Stable Diffusion 1.x's settings (padding is the end mark)."""
    from transformers import CLIPTokenizer

    vocabulary, merges = clip_vocabulary()
    pairs: list[Any] = list(merges)
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=pairs,
        model_max_length=WINDOW,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=END,
    )


def _pair(line: str) -> tuple[str, str]:
    left, right = line.split()
    return left, right


def _byte_letters() -> list[str]:
    """One printable letter per byte, in CLIP's order: the printable bytes first, then the other 68 shifted up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [chr(code) for code in printable] + [chr(256 + number) for number in range(others)]
