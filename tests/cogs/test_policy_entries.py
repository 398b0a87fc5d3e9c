"""Every way in goes through the policy: whatever asks for a picture, what the rules refuse is never painted."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain import JobStatus
from engine import __main__ as command_line
from engine.safety import FixedScores
from engine.sampling.model import LoadedModel
from engine.worker.backend import Backend
from engine.worker.local_backend import LocalBackend
from sandbox.world.things import Message
from settings import Settings
from tests.support.cards import choose, everything_in
from tests.support.stage import Stage, StartStage, make_stage

FORBIDDEN = "disembowelled"
PUBLIC_HINT = "gore"


async def jobs_in(stage: Stage) -> int:
    row = await stage.database.fetch_one("SELECT count(*) FROM jobs")
    assert row is not None
    return int(row[0])


async def decisions_in(stage: Stage) -> list[tuple[str, str, str]]:
    rows = await stage.database.fetch_all("SELECT action, clause, prompt FROM decisions ORDER BY id")
    return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]


def reply_to(stage: Stage, said: Message) -> Message | None:
    seen = stage.mira.sees(stage.server.world.channels[said.channel_id])
    return next((one for one in seen if (one.reference or {}).get("message_id") == str(said.id)), None)


def assert_refused_privately(stage: Stage, answer: Message) -> None:
    """Only its author reads the clause and the way to appeal, and nobody reads the word."""
    assert answer.only_for == stage.ana.id
    assert "House rule" in answer.content
    assert "Appeal" in answer.content
    public = [one for channel in stage.server.world.channels.values() for one in stage.mira.sees(channel)]
    assert not any(FORBIDDEN in everything_in(one) for one in public if one.author_id != stage.ana.id)


async def test_a_slash_command_is_judged(stage: Stage) -> None:
    await stage.agree(stage.ana)
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt=f"{FORBIDDEN} on a road")
    assert_refused_privately(stage, stage.ana.answer(asked))
    assert await jobs_in(stage) == 0
    assert await decisions_in(stage) == [("refuse", "gore", f"{FORBIDDEN} on a road")]


async def test_an_edited_request_is_judged(stage: Stage) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana)
    submitted = await stage.ana.submit(await stage.ana.click(message, "Edit"), prompt=f"1girl, {FORBIDDEN}")
    assert_refused_privately(stage, stage.ana.answer(submitted))
    assert await jobs_in(stage) == 1


@pytest.mark.parametrize("button", ["Again", "Vary"])
async def test_a_button_under_an_older_picture_is_judged_by_todays_rules(stage: Stage, button: str) -> None:
    await stage.agree(stage.ana)
    message = await stage.picture(stage.ana)
    await forbid_first_job(stage)
    if button == "Again":
        answer = stage.ana.answer(await stage.ana.click(message, button))
    else:
        answer = await choose(stage.ana, message, button, "Strong")
    assert_refused_privately(stage, answer)
    assert await jobs_in(stage) == 1


async def test_a_message_in_a_prompt_channel_is_judged(tmp_path: Path, tiny_model: LoadedModel) -> None:
    async with make_stage(tmp_path, tiny_model, FixedScores(), message_content_intent=True) as stage:
        await stage.agree(stage.ana, stage.mira)
        prompts = stage.channel("prompts")
        await stage.mira.slash(stage.paintings, "channel open", channel=prompts.id)
        said = await stage.ana.say(prompts, f"1girl, {FORBIDDEN} cafe")
        hint = await stage.ana.until(lambda: reply_to(stage, said))
        assert FORBIDDEN not in hint.content
        assert PUBLIC_HINT not in hint.content
        assert await jobs_in(stage) == 0


async def test_a_restart_judges_what_was_waiting(start_stage: StartStage) -> None:
    async with start_stage() as stage:
        await stage.agree(stage.ana)
        stage.backend.pause()
        await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile")
        await forbid_first_job(stage)
        world = stage.server.world
    async with start_stage(world) as stage:
        await stage.until_status(1, JobStatus.REFUSED)
        assert [painting.png for painting in await stage.service.jobs.fetch_pictures(1)] == []


def test_the_command_line_is_judged(
    tiny_model: LoadedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.png"

    def make(_settings: Settings) -> Backend:
        return LocalBackend(tiny_model, FixedScores())

    assert command_line.main([f"1girl, {FORBIDDEN}", "-o", str(target)], make) == 1
    assert not target.exists()
    told = capsys.readouterr().err
    assert "House rule" in told
    assert FORBIDDEN not in told


async def forbid_first_job(stage: Stage) -> None:
    """As if the rules had changed since: the first job's words are now forbidden ones."""
    async with stage.database.transaction() as connection:
        await connection.execute(
            "UPDATE jobs SET request = json_set(request, '$.prompt', ?) WHERE id = 1", (f"1girl, {FORBIDDEN}",)
        )
