"""/owner policy-feedback end to end: refused, appealed, decided, exported, and judged by scripts/measure_policy.py."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from domain.corrections import Ruling
from engine.policy.feedback import read_feedback
from sandbox.world.things import Message
from scripts import measure_policy
from tests.support.refusals import LICENSED, LIFTABLE, PHRASE
from tests.support.review import appeal, decide, refused
from tests.support.stage import Stage


async def export(stage: Stage) -> Message:
    answer = stage.owner.answer(await stage.owner.slash(stage.paintings, "owner policy-feedback"))
    await stage.owner.until(lambda: answer.content != "")  # "thinking" at first
    return answer


async def test_what_moderators_decided_reaches_the_measuring_script(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.choose_review_channel()
    await stage.agree(stage.ana)
    await decide(stage, await appeal(stage, await refused(stage, LICENSED)), "Uphold")
    stage.advance(timedelta(days=366))
    opened = await stage.mira.click(await appeal(stage, await refused(stage)), "Allow here from now on")
    await stage.mira.submit(opened)

    answer = await export(stage)
    assert answer.only_for == stage.owner.id
    assert "2 decisions on refused prompts, 1 with the words" in answer.content
    assert PHRASE not in answer.content
    (file,) = answer.attachments
    corrections = list(read_feedback(file.data.decode().splitlines()))
    assert [(one.prompt, one.phrase, one.ruling) for one in corrections] == [
        (LIFTABLE, PHRASE, Ruling.ALLOWED),
        (None, None, Ruling.UPHELD),
    ]

    saved = tmp_path / file.filename
    saved.write_bytes(file.data)
    monkeypatch.setattr(sys, "argv", ["measure_policy.py", "--feedback", str(saved)])
    measure_policy.main()
    printed = capsys.readouterr().out
    assert "| gore | allowed | 1 | 0.0 |" in printed  # today's rules would refuse it again
    assert "1 without words" in printed


async def test_without_decisions_there_is_no_file(stage: Stage) -> None:
    answer = await export(stage)
    assert "No moderator has decided" in answer.content
    assert (answer.attachments, answer.only_for) == ([], stage.owner.id)
