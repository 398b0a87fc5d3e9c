"""What a portrait can be: palettes, hair shapes, expressions, and the draw of one portrait.

The hair shapes are components of DiceBear's Adventurer style (Lisa Wischofsky, CC BY 4.0); eyes, brows, mouths and
cat ears are drawn by render.mjs.
"""

from __future__ import annotations

import hashlib
import random
from typing import TypedDict

HAIR_COLORS = {
    "pink": "f48fb1", "blonde": "f7d560", "brown": "8a5a35", "black": "2b2b33", "white": "f4f4f6", "grey": "9a9ca3",
    "red": "d93a3a", "orange": "f28a2e", "green": "4bb36a", "blue": "3f78d8", "aqua": "4fd0d6", "purple": "9a5fd0",
}  # fmt: skip
BACKGROUNDS = {
    "blue": "8fc3f7", "pink": "fcc2dc", "green": "a2dfa6", "yellow": "fff08a", "red": "f06a6a", "orange": "ffc38a",
    "purple": "c6aef0", "aqua": "a4f0ee", "grey": "bfc4c8", "brown": "b8946a", "white": "fbfbfb", "black": "33343d",
}  # fmt: skip
EYE_COLORS = {
    "blue": "2f7df0", "green": "27b04a", "red": "e0302f", "purple": "9b3fe0", "brown": "8a5020", "yellow": "f5c518",
}  # fmt: skip
SKINS = {"pale skin": "fde4d6", "light skin": "f5c9a0", "tan": "d29a66", "dark skin": "8b5a34"}
HAIR_SHAPES = {
    "long hair": ("long05", "long07", "long09"), "wavy hair": ("long06", "long17"), "twintails": ("long15",),
    "ponytail": ("long19",), "braid": ("long16",), "bun": ("short05", "long11"), "double bun": ("long23", "long13"),
    "low twintails": ("long14",), "bob cut": ("long01", "long21"), "curly hair": ("short03", "short18"),
    "spiky hair": ("short16",), "short hair": ("short01", "short11", "short14"), "mohawk": ("short15",),
    "bald": ("short19",), "flower crown": ("long08",), "hair flower": ("long18",), "hair over one eye": ("long20",),
}  # fmt: skip
EXPRESSIONS = ("smile", "laughing", "sad", "angry", "surprised", "tongue out")
GLASSES_SHAPES = {"glasses": ("variant02", "variant05"), "sunglasses": ("variant01",)}
EARRING_SHAPES = ("variant01", "variant04", "variant06")
_SHARE_OF_HAIR = {"bald": 0.5, "mohawk": 0.6, "hair over one eye": 0.5}
_BOYISH_HAIR = {"spiky hair", "short hair", "mohawk", "bald", "curly hair"}
_HELD_OUT_OF_256 = 16


class Portrait(TypedDict):
    """One drawn portrait: the tags' names, and what render.mjs needs (camel case: they are its JSON)."""

    hair_style: str
    hair_color_name: str
    background_name: str
    iris_name: str
    skin_name: str
    glasses_name: str | None
    expression: str
    eyes: str
    boy: bool
    features: list[str]
    catEars: bool
    earrings: str | None
    hair: str
    hairColor: str
    background: str
    iris: str
    skin: str
    glasses: str | None


def draw_portrait(rng: random.Random) -> Portrait:
    """One random portrait."""
    style = rng.choices(list(HAIR_SHAPES), [_SHARE_OF_HAIR.get(name, 1.0) for name in HAIR_SHAPES])[0]
    boy = rng.random() < (0.7 if style in _BOYISH_HAIR else 0.12)
    hair, background = rng.choice(list(HAIR_COLORS)), rng.choice(list(BACKGROUNDS))
    iris, skin = rng.choice(list(EYE_COLORS)), rng.choice(list(SKINS))
    glasses = rng.choices([None, "glasses", "sunglasses"], [0.7, 0.2, 0.1])[0]
    eyes = rng.choices(["open", "wink", "closed"], [0.82, 0.09, 0.09])[0]
    return {
        "hair_style": style,
        "hair_color_name": hair,
        "background_name": background,
        "iris_name": iris,
        "skin_name": skin,
        "glasses_name": glasses,
        "expression": rng.choice(EXPRESSIONS),
        "eyes": eyes,
        "boy": boy,
        "features": _draw_features(boy, rng),
        "catEars": rng.random() < 0.2 and style != "mohawk",
        "earrings": rng.choice(EARRING_SHAPES) if rng.random() < 0.2 else None,
        "hair": rng.choice(HAIR_SHAPES[style]),
        "hairColor": _jitter(HAIR_COLORS[hair], 7, rng),
        "background": "#" + _jitter(BACKGROUNDS[background], 5, rng),
        "iris": "#" + EYE_COLORS[iris],
        "skin": _jitter(SKINS[skin], 4, rng),
        "glasses": rng.choice(GLASSES_SHAPES[glasses]) if glasses else None,
    }


def is_held_out(portrait: Portrait) -> bool:
    """Whether this combination of tags is never trained on: one in sixteen, by its hash alone."""
    names = ("hair_style", "hair_color_name", "expression", "iris_name", "background_name")
    key = "|".join(str(portrait[name]) for name in names)
    return hashlib.sha256(key.encode()).digest()[0] < _HELD_OUT_OF_256


def draw_portraits(count: int, seed: int, *, held_out: bool = False) -> list[Portrait]:
    """`count` portraits, all of trained combinations or all of held-out ones."""
    rng = random.Random(seed)
    portraits: list[Portrait] = []
    while len(portraits) < count:
        portrait = draw_portrait(rng)
        if is_held_out(portrait) == held_out:
            portraits.append(portrait)
    return portraits


def eyes_are_coloured(portrait: Portrait) -> bool:
    """Whether an iris can be seen: closed eyes and sunglasses hide it."""
    return portrait["eyes"] != "closed" and portrait["glasses_name"] != "sunglasses"


def _draw_features(boy: bool, rng: random.Random) -> list[str]:
    if boy and rng.random() < 0.25:
        return ["mustache"]
    return [rng.choice(["blush", "freckles"])] if rng.random() < 0.2 else []


def _jitter(color: str, most: int, rng: random.Random) -> str:
    channels = (int(color[at : at + 2], 16) + rng.randint(-most, most) for at in (0, 2, 4))
    return "".join(f"{max(0, min(255, channel)):02x}" for channel in channels)
