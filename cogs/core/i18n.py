"""What the bot says in public, in the language that a server chose in `/settings panel`.

The English text is the key; `languages/*.toml` hold the others. What only one person sees stays in English: it
names commands and options, which are English in Discord, too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cogs.core.bot import Bot
from domain.quotas import credits_in_digits
from domain.settings import LANGUAGES

FOLDER = Path(__file__).parent / "languages"


@cache
def catalogue(language: str) -> dict[str, str]:
    """English → the language's words; empty for English itself."""
    if language == LANGUAGES[0]:
        return {}
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Translation:
    """Says things in one language. What a catalogue does not have is said in English."""

    language: str = LANGUAGES[0]

    def __call__(self, english: str, **values: Any) -> str:
        text = catalogue(self.language).get(english, english)
        return text.format(**values) if values else text

    def count(self, count: int, one: str, many: str, **values: Any) -> str:
        """One of two sentences; both may use `{count}`."""
        return self(one if count == 1 else many, count=count, **values)

    def credits(self, millicredits: int) -> str:
        """ "1.6 credits"."""
        amount = credits_in_digits(millicredits)
        return f"{amount} {self('credit' if amount == '1' else 'credits')}"


ENGLISH = Translation()


async def translation_for(bot: Bot, guild_id: int | None) -> Translation:
    """The server's language; English in direct messages."""
    if guild_id is None:
        return ENGLISH
    return Translation((await bot.service.settings.fetch(guild_id)).language)
