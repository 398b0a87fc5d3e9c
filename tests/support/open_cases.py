"""Cases on the desk: opened by members, waiting for a moderator."""

from __future__ import annotations

from dataclasses import replace

from db import appeals, audit
from domain.cases import Case, Decider
from tests.support.desk import Desk
from tests.support.people import CHANNEL, GUILD, MEMBER, MODERATOR, OTHER
from tests.support.refusals import LIFTABLE
from tests.support.requests import USUAL_REQUEST

DECIDER = Decider(user_id=MODERATOR, guild_id=GUILD)
CARD, MESSAGE = (55, 66), 77
REFUSED = replace(USUAL_REQUEST, prompt=LIFTABLE)


async def appeal(desk: Desk, prompt: str = LIFTABLE) -> Case:
    """An open appeal of a prompt."""
    return await appeal_of(desk, await desk.refuse(prompt))


async def appeal_of(desk: Desk, decision_id: int) -> Case:
    await desk.cases.appeal(decision_id, MEMBER, GUILD, "a café's name")
    return (await desk.cases.fetch_open(GUILD)).cases[-1]


async def report(desk: Desk, message_id: int = MESSAGE) -> Case:
    job = await desk.finish(message_id=message_id)
    await desk.cases.report(job.id, OTHER, GUILD, "not nice")
    return (await desk.cases.fetch_open(GUILD)).cases[-1]


async def waiting(desk: Desk) -> Case:
    """A picture that waits for a moderator's yes."""
    await desk.cases.set_approval(GUILD, CHANNEL, True, MODERATOR)
    assert await desk.cases.hold(await desk.finish(), (CHANNEL,))
    return (await desk.cases.fetch_open(GUILD)).cases[-1]


async def stored(desk: Desk, case: Case) -> Case:
    found = await appeals.fetch_case(desk.database, case.id)
    assert found is not None
    return found


async def actions(desk: Desk) -> list[str]:
    """The audit log's actions, oldest first."""
    return [row.action for row in reversed(await audit.search(desk.database, GUILD))]
