"""What is asked about a stored job: a button names one, and only the message or the server that has it may."""

from __future__ import annotations

import pytest

from domain import NotFound
from tests.support.desk import Desk
from tests.support.people import GUILD
from tests.support.requests import ORIGIN, USUAL_REQUEST

MESSAGE = 77


async def test_a_button_names_a_job_in_its_own_server_while_its_message_is_not_written_down(desk: Desk) -> None:
    job = await desk.service.submit(USUAL_REQUEST, ORIGIN)
    assert (await desk.jobs.fetch_at(job.id, GUILD, MESSAGE)).id == job.id
    with pytest.raises(NotFound):
        await desk.jobs.fetch_at(job.id, GUILD + 1, MESSAGE)


async def test_a_button_names_a_job_under_its_own_message_only(desk: Desk) -> None:
    job = await desk.finish(message_id=MESSAGE)
    assert (await desk.jobs.fetch_at(job.id, GUILD, MESSAGE)).id == job.id
    with pytest.raises(NotFound):
        await desk.jobs.fetch_at(job.id, GUILD, MESSAGE + 1)
