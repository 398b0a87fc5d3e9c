"""A picture is judged by where it would be shown now, not by where it was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import Job, OutcomeCode, Place
from domain.settings import ChannelLevel
from tests.support.desk import Desk
from tests.support.people import CHANNEL, GUILD, MODERATOR
from tests.support.requests import ORIGIN

FOR_ADULTS = replace(ORIGIN, place=Place(guild_id=GUILD, channel_id=CHANNEL, age_restricted=True))


async def finish_for_adults(desk: Desk) -> Job:
    """A picture that was asked for while its channel was one for adults."""
    await desk.service.settings.change(GUILD, MODERATOR, channel_id=CHANNEL, level=ChannelLevel.ADULT)
    return await desk.finish(origin=FOR_ADULTS)


async def test_a_picture_for_adults_is_shown_while_its_channel_is_for_adults(desk: Desk) -> None:
    job = await finish_for_adults(desk)
    judged = await desk.service.deliveries.judge_place_again(job, CHANNEL, age_restricted=True)
    assert (judged.status, judged.outcome) == (job.status, job.outcome)


@pytest.mark.parametrize(("level", "age_restricted"), [(ChannelLevel.ADULT, False), (ChannelLevel.STANDARD, True)])
async def test_a_picture_for_adults_is_withheld_where_its_channel_is_none_any_more(
    desk: Desk, level: ChannelLevel, age_restricted: bool
) -> None:
    job = await finish_for_adults(desk)
    await desk.service.settings.change(GUILD, MODERATOR, channel_id=CHANNEL, level=level)
    judged = await desk.service.deliveries.judge_place_again(job, CHANNEL, age_restricted=age_restricted)
    assert judged.outcome is not None
    assert judged.outcome.code is OutcomeCode.PLACE_STRICTER
