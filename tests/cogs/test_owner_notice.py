"""Clause b end to end, with placeholder words: no appeal, nothing kept or shown, and the bot's owner is told once."""

from __future__ import annotations

import pytest

from tests.support.placeholder_policy import policy
from tests.support.stage import Stage

PROMPT = "1girl, ageterm, privterm"


@pytest.fixture
def _placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.prepare.approve", policy().approve)


@pytest.mark.usefixtures("_placeholders")
async def test_a_decision_on_minors_is_told_to_the_owner_and_kept_nowhere(stage: Stage) -> None:
    await stage.agree(stage.ana)
    answer = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt=PROMPT))
    assert answer.only_for == stage.ana.id
    assert "clause (b)" in answer.content
    assert "Appeal" not in str(answer.components)
    owner = stage.owner
    for _ in range(2):
        await stage.bot.background.run_all()
    told = [one.content for one in owner.sees(owner.dm()) if "Clause (b)" in one.content]
    assert len(told) == 1
    assert f"<@{stage.ana.id}>" in told[0]
    assert not await words_kept(stage)
    assert "ageterm" not in answer.content + told[0]


async def words_kept(stage: Stage) -> list[str]:
    """Every table that still holds a word of the prompt."""
    database = stage.database
    tables = await database.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [
        table["name"]
        for table in tables
        for row in await database.fetch_all(f"SELECT * FROM {table['name']}")
        if "privterm" in str(tuple(row))
    ]


async def test_many_decisions_are_told_in_several_messages_each_once(stage: Stage) -> None:
    async with stage.database.transaction() as connection:
        for member_id in range(10**18, 10**18 + 45):
            await connection.execute(
                """INSERT INTO decisions (user_id, guild_id, channel_id, subject, action, clause, rules, scores, spans,
                                          rule_set, prompt_sha256, decided_at)
                   VALUES (?, ?, ?, 'picture', 'withhold', 'b', '[]', '{}', '[]', '', '', 1790000000)""",
                (member_id, stage.paintings.guild_id, stage.paintings.id),
            )
    owner = stage.owner
    for _ in range(2):
        await stage.bot.background.run_all()
    told = [one.content for one in owner.sees(owner.dm()) if "Clause (b)" in one.content]
    text = "\n".join(told)
    assert [text.count(f"<@{member_id}>") for member_id in range(10**18, 10**18 + 45)] == [1] * 45
    assert len(told) > 1
