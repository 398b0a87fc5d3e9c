"""Captions of a portrait: Danbooru-style tags in random order, with synonyms, left-out tags, sentences and idle words.

Made again each time a picture is drawn. Expression and eye colour are small in the picture, so they are seldom left
out; presence tags (glasses, cat ears) nearly never, so that "not mentioned" comes to mean "absent".
"""

from __future__ import annotations

import random
import string

from scripts.demo_model.attributes import Portrait, eyes_are_coloured

SYNONYMS = {
    "blonde": ["blonde", "blonde", "blond", "yellow"],
    "grey": ["grey", "gray", "silver"],
    "aqua": ["aqua", "teal", "cyan"],
    "laughing": ["laughing", "open mouth", "grin"],
    "sad": ["sad", "frown"],
    "angry": ["angry", "clenched teeth"],
    "surprised": ["surprised", ":o"],
    "tongue out": ["tongue out", "tongue"],
    "smile": ["smile", "smile", "happy"],
    "double bun": ["double bun", "double buns"],
    "bun": ["bun", "hair bun"],
    "bob cut": ["bob cut", "bob"],
    "sunglasses": ["sunglasses", "shades"],
    "wink": ["wink", "one eye closed"],
    "closed eyes": ["closed eyes", "eyes closed"],
    "cat ears": ["cat ears", "cat ears", "animal ears", "nekomimi"],
    "twintails": ["twintails", "twin tails", "pigtails"],
    "mustache": ["mustache", "facial hair"],
    "curly hair": ["curly hair", "afro"],
}
QUALITY_WORDS = (
    "masterpiece", "best quality", "anime", "portrait", "solo", "looking at viewer", "high quality", "detailed",
    "cartoon", "illustration", "cute",
)  # fmt: skip
_ALSO = {"flower crown": ("long hair", "flower"), "hair flower": ("wavy hair", "flower")}


def portrait_tags(portrait: Portrait, rng: random.Random, *, keep: float | None = None) -> list[str]:
    """The portrait's tags in fixed order; each is kept with its own probability, or all with `keep`."""

    def kept(share: float) -> bool:
        return rng.random() < (share if keep is None else keep)

    style = portrait["hair_style"]
    tags = ["1boy" if portrait["boy"] else "1girl"] if kept(0.9) else []
    if style != "bald" and kept(0.9):
        tags.append(f"{_word(portrait['hair_color_name'], rng)} hair")
    if kept(0.9):
        tags.append(_word(style, rng))
    if style in _ALSO and keep is None and rng.random() < 0.5:
        tags.append(rng.choice(_ALSO[style]))
    tags += _eye_tags(portrait, rng, kept(0.93))
    if kept(0.95):
        tags.append(_word(portrait["expression"], rng))
    tags += [_word(tag, rng) for tag in _accessories(portrait) if kept(0.96)]
    if kept(0.6):
        tags.append(portrait["skin_name"])
    if kept(0.92):
        tags.append(f"{_word(portrait['background_name'], rng)} background")
    return tags


def make_caption(portrait: Portrait, rng: random.Random) -> str:
    """A training caption; one in ten is empty, for classifier-free guidance."""
    if rng.random() < 0.10:
        return ""
    tags = portrait_tags(portrait, rng)
    if rng.random() < 0.15:
        return _sentence(tags, rng)
    if rng.random() < 0.35:
        tags += rng.sample(QUALITY_WORDS, rng.randint(1, 3))
    if rng.random() < 0.06:
        tags.append("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 8))))
    if tags and rng.random() < 0.6:
        tags = [tags[0], *rng.sample(tags[1:], len(tags) - 1)]
    else:
        rng.shuffle(tags)
    return (", " if rng.random() < 0.85 else " ").join(tags)


def make_prompt(portrait: Portrait, rng: random.Random) -> str:
    """A prompt with every tag that can be seen, in random order after `1girl` or `1boy`; for the measurement."""
    tags = portrait_tags(portrait, rng, keep=1.0)
    return ", ".join([tags[0], *rng.sample(tags[1:], len(tags) - 1)])


def _eye_tags(portrait: Portrait, rng: random.Random, with_color: bool) -> list[str]:
    tags: list[str] = []
    if portrait["eyes"] == "closed":
        tags.append(_word("closed eyes", rng))
    if portrait["eyes"] == "wink" and portrait["glasses_name"] != "sunglasses":
        tags.append(_word("wink", rng))
    if eyes_are_coloured(portrait) and with_color:
        tags.append(f"{portrait['iris_name']} eyes")
    return tags


def _accessories(portrait: Portrait) -> list[str]:
    tags = [portrait["glasses_name"]] if portrait["glasses_name"] else []
    tags += ["cat ears"] if portrait["catEars"] else []
    tags += ["earrings"] if portrait["earrings"] else []
    return tags + portrait["features"]


def _sentence(tags: list[str], rng: random.Random) -> str:
    who = "a boy" if "1boy" in tags else "a girl" if "1girl" in tags else "somebody"
    scene = [tag for tag in tags if tag.endswith("background")]
    rest = [tag for tag in tags if tag not in ("1boy", "1girl", *scene)]
    rng.shuffle(rest)
    text = rng.choice(["", "portrait of ", "a drawing of "]) + who
    if rest:
        text += " with " + (", ".join(rest[:-1]) + " and " + rest[-1] if len(rest) > 1 else rest[0])
    return text + (rng.choice([", ", " on a "]) + scene[0] if scene else "")


def _word(tag: str, rng: random.Random) -> str:
    return rng.choice(SYNONYMS.get(tag, [tag]))
