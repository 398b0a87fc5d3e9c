"""The tokenizer: CLIP's own class with a small byte-level vocabulary learnt from captions; no byte is unknown."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from scripts.demo_model.attributes import Portrait
from scripts.demo_model.captions import make_caption
from scripts.demo_model.networks import TOKENS

START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"


def train_tokenizer(portraits: list[Portrait], folder: Path, *, captions: int = 20_000, seed: int = 3) -> None:
    """Learn the vocabulary from captions of `portraits` and save it to `folder`."""
    rng = random.Random(seed)
    texts = [make_caption(rng.choice(portraits), rng) for _ in range(captions)]
    plain: Any = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    learner = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix=WORD_END))
    learner.normalizer = plain.backend_tokenizer.normalizer
    learner.pre_tokenizer = plain.backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1400, initial_alphabet=alphabet, end_of_word_suffix=WORD_END, show_progress=False, min_frequency=5
    )
    learner.train_from_iterator(texts, trainer)
    merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
    make: Any = CLIPTokenizer
    make(vocab=_vocabulary(alphabet, merges), merges=merges, model_max_length=TOKENS).save_pretrained(folder)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer saved in `folder`."""
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _vocabulary(alphabet: list[str], merges: list[tuple[str, ...]]) -> dict[str, int]:
    """CLIP's order: bytes, bytes that end a word, merges, the two special tokens."""
    words = [*alphabet, *(letter + WORD_END for letter in alphabet), *("".join(merge) for merge in merges), START, END]
    return {word: number for number, word in enumerate(dict.fromkeys(words))}
