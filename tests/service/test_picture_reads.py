"""Picture files are megabytes: what needs a number of them reads no file."""

from __future__ import annotations

from datetime import timedelta

from PIL import Image

from engine.images.metadata import write_png
from tests.support.desk import Desk
from tests.support.open_cases import report
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR
from tests.support.requests import PROFILE
from tests.support.statements import Recording, recorded

MESSAGE = 77


def reads_files(recording: Recording) -> list[str]:
    """The statements that gave picture files out."""
    return [
        sql for sql in recording.statements if "FROM pictures" in sql and sql.startswith(("SELECT *", "SELECT png"))
    ]


async def test_a_cases_card_shows_what_the_check_found_and_reads_no_file(desk: Desk) -> None:
    case = await report(desk)
    with recorded() as recording:
        assert (await desk.cases.fetch_file(case)).picture_scores == {"x": 0.1}
    assert reads_files(recording) == []


async def test_a_picture_is_entered_in_a_challenge_without_reading_its_file(desk: Desk) -> None:
    job = await desk.finish(message_id=MESSAGE)
    challenges = desk.service.challenges
    await challenges.start(GUILD, CHANNEL, MODERATOR, "snow", timedelta(days=1), None)
    (challenge,) = await challenges.fetch_open(GUILD)
    with recorded() as recording:
        assert await challenges.enter(challenge, job, MEMBER, may_be_shown=True)
    assert reads_files(recording) == []


async def test_a_file_that_says_whose_it_is_is_compared_by_its_seed(desk: Desk) -> None:
    job = await desk.finish(message_id=MESSAGE)
    png = write_png(Image.new("RGB", (64, 64)), job.request, 1, PROFILE.identity, job.id)
    with recorded() as recording:
        assert await desk.service.lookup.find_by_picture(png, GUILD)
    assert reads_files(recording) == []


async def test_what_upscaling_all_pictures_costs_is_known_without_reading_a_file(desk: Desk) -> None:
    job = await desk.finish()
    with recorded() as recording:
        assert (await desk.service.requests.upscaled_all(job, 2.0)).seed == 1
    assert reads_files(recording) == []
