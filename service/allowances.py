"""The service's side of appeals: refusals that can be appealed, and permissions that are used once.

Knows the engine's policy and the database, like service.py, of which it is a part.
"""

from __future__ import annotations

from datetime import datetime

import aiosqlite

from db import allowances, appeals, decisions, strikes
from db.database import Database
from db.guild_settings import GuildSettings
from db.strikes import Penalty
from domain import NotAllowed, Origin, PromptRefused, Request
from engine.policy import Allowances, is_appealable, prompt_hash


async def fetch_allowances(
    database: Database, guild_id: int | None, user_id: int, job_id: int | None = None
) -> Allowances:
    """What the server's moderators let this member have despite the policy; for a stored job, what it was let."""
    if guild_id is None:
        return Allowances()
    phrases = await allowances.fetch_phrases(database, guild_id)
    return Allowances(
        once=await allowances.fetch_once(database, guild_id, user_id, job_id),
        phrases=frozenset(allowed.phrase for allowed in phrases),
    )


async def write_refusal(
    database: Database,
    refusal: PromptRefused,
    request: Request,
    origin: Origin,
    now: datetime,
    settings: GuildSettings,
) -> PromptRefused:
    """Record the refusal, and the strike if it is one; what moderators may let through later is kept as asked."""
    async with database.transaction() as connection:
        decision_id = await decisions.record_prompt(connection, refusal.verdict, request, origin, now)
        if origin.place.guild_id is not None and is_appealable(refusal.verdict):
            await appeals.keep_refused(connection, decision_id, request, origin, now)
        penalty = await strikes.record(connection, decision_id, settings, now, is_moderator=origin.is_moderator)
    return PromptRefused(refusal.verdict, decision_id, _strike_in_words(penalty))


def _strike_in_words(penalty: Penalty | None) -> str:
    if penalty is None or penalty.rung == "none":
        return ""
    consequences = {
        "warn": "Nothing else happens yet; more of them make your pictures wait longer.",
        "slow": "Until some of them expire you can have one picture at a time, and it waits longer.",
        "pause": f"You can ask again <t:{int(penalty.until.timestamp())}:R>." if penalty.until else "",
    }
    return f"This counts as strike {penalty.count}. {consequences[penalty.rung]} `/strikes` shows them."


async def use_allowance(
    connection: aiosqlite.Connection,
    allowed: Allowances,
    request: Request,
    origin: Origin,
    now: datetime,
    job_id: int,
) -> None:
    """A permission for one picture is used up by it; of two requests at the same time one gets it."""
    key, guild_id = prompt_hash(request), origin.place.guild_id
    if key not in allowed.once or guild_id is None:
        return
    if not await allowances.take_once(connection, guild_id, origin.user_id, key, job_id, now):
        raise NotAllowed("This prompt was allowed for one picture, and that one is being painted already.")
