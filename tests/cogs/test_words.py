"""The server's language: the catalogues are whole, and what is said in public is said in the chosen one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cogs.core.i18n import ENGLISH, Translation, catalogue
from domain.settings import LANGUAGES
from sandbox.world.things import Message
from tests.support.cards import labels_of, text_of, titled, told
from tests.support.stage import Stage, is_delivered

OTHERS = LANGUAGES[1:]
ROOT = Path(__file__).parents[2]


def literals() -> set[str]:
    """Every text in the code that might be said."""
    found: set[str] = set()
    for path in (one for room in ("cogs", "service", "engine", "domain") for one in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_says_everything_with_the_same_blanks(language: str) -> None:
    words, first = catalogue(language), catalogue(OTHERS[0])
    assert set(words) == set(first)
    for english, text in words.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", text)), english
        assert len(text) <= max(2 * len(english), 40), english


def test_no_catalogue_keeps_what_the_code_no_longer_says() -> None:
    assert set(catalogue(OTHERS[0])) - literals() <= {"credit", "credits"}


def test_what_a_catalogue_lacks_is_said_in_english() -> None:
    assert Translation("de")("Something quite new") == "Something quite new"
    assert Translation("fr").credits(1600) == "1.6 crédits"
    assert ENGLISH.count(2, "1 vote", "{count} votes") == "2 votes"


async def choose(stage: Stage, language: str) -> None:
    panel = stage.mira.answer(await stage.mira.slash(stage.paintings, "settings panel"))
    await stage.mira.submit(await stage.mira.click(panel, "Audit, review, language"), language=language)
    assert "Language: Deutsch" in text_of(panel)


async def test_a_server_that_chose_german_reads_german_in_public_and_english_in_private(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    await choose(stage, "de")
    stage.backend.pause()
    waiting = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl", steps=4))
    assert "Als Nächstes dran" in text_of(waiting)
    await stage.ana.click(waiting, "Abbrechen")
    await stage.ana.until(lambda: "Es wurde nichts berechnet." in text_of(waiting))
    stage.backend.resume()
    picture = await stage.picture(stage.ana, steps=4)
    assert "**Größe**" in text_of(picture)
    assert "KI-generiert" in text_of(picture)
    assert labels_of(picture) == [
        *("Vergrößern", "Variieren", "Als Startbild", "Bereich ändern"),
        *("Behalten", "Schick mir", "Details"),
        *("Noch einmal", "Ändern", "Löschen", "Melden"),
    ]
    await stage.mira.slash(stage.paintings, "challenge start", theme="Schnee", ends="3d")
    await stage.bot.background.run_all()
    (announcement,) = titled(stage, "Wettbewerb: Schnee")
    assert labels_of(announcement) == ["Teilnehmen", "Meinen Beitrag zurückziehen"]
    assert "left now" in await told(stage, "ana", "quota me")
    at_home = await stage.picture(stage.ana, stage.ana.dm(), steps=4)
    assert is_delivered(at_home)
    assert "AI-generated" in text_of(at_home)


async def test_a_prompt_channels_hints_are_in_the_servers_language(stage: Stage) -> None:
    await stage.agree(stage.ana)
    await choose(stage, "de")
    channel = stage.channel("prompts")
    await stage.mira.slash(stage.paintings, "channel open", channel=channel.id)
    await stage.ana.say(channel, f"<@{stage.server.world.bot.id}> 1girl, roadkill cafe sign")

    def hint() -> Message | None:
        return next((one for one in stage.ana.sees(channel) if "kann ich nicht malen" in one.content), None)

    why = stage.ana.answer(await stage.ana.click(await stage.ana.until(hint), "Warum?"))
    assert "House rule" in why.content
