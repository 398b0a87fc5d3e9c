"""The page draws every emoji that the bot uses: many machines have no font for them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EMOJI = re.compile("[\u2600-\u27bf\u2b50\U0001f000-\U0001faff]")


def used() -> set[str]:
    """Every emoji in a text of cogs/."""
    found: set[str] = set()
    for path in (ROOT / "cogs").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(EMOJI.findall(node.value))
    return found


def test_every_emoji_of_the_bot_is_drawn() -> None:
    script = (ROOT / "sandbox" / "page" / "icons.js").read_text(encoding="utf-8")
    drawn = set(re.findall(r'^  "(.+?)": ', script, re.MULTILINE))
    assert "⭐" in used()
    assert used() - drawn == set()
