"""Refusals as they are kept, and what moderators allowed after an appeal."""

from __future__ import annotations

from datetime import datetime

import aiosqlite

from db import allowances, appeals, decisions, strikes
from db.database import Database
from domain import NotAllowed, Origin, PromptRefused, Request
from domain.settings import GuildSettings
from domain.strikes import Penalty, Rung
from engine.policy import Allowances, is_appealable
from engine.policy.allowances import LENGTH
from engine.policy.wording import grounds
from service.context import Context, Topic

# Refusals of which no request is kept.
UNKEPT_CLAUSES = (*decisions.UNSTORED_CLAUSES, LENGTH)


async def fetch_allowances_of_job(database: Database, guild_id: int | None, user_id: int, job_id: int) -> Allowances:
    """What a stored job was let through with, and the server's phrases as they are today."""
    if guild_id is None:
        return Allowances()
    phrases = await allowances.fetch_phrases(database, guild_id)
    return Allowances(
        once=await allowances.fetch_once(database, guild_id, user_id, job_id),
        phrases=frozenset(allowed.phrase for allowed in phrases),
    )


async def write_refusal(
    context: Context, refusal: PromptRefused, request: Request, origin: Origin, settings: GuildSettings
) -> PromptRefused:
    """Record the refusal, and the strike if it is one. The request is kept as asked: its member may change it, and
    moderators may let it through later."""
    now, verdict = context.now(), refusal.verdict
    in_server = origin.place.guild_id is not None
    async with context.writing_news(Topic.DECISIONS) as (connection, news):
        decision_id = await decisions.record_prompt(connection, verdict, request, origin, now)
        if verdict.clause not in UNKEPT_CLAUSES:
            await appeals.keep_refused(connection, decision_id, request, origin, now)
        penalty = await strikes.record(connection, decision_id, settings, now, is_moderator=origin.is_moderator)
        if penalty is not None:
            news.add(Topic.STRIKES)
            news.add(Topic.AUDIT)
    if not in_server:  # no moderator could look at an appeal
        return PromptRefused(verdict, decision_id, sentence=grounds(verdict.clause or "", appealable=False))
    return PromptRefused(verdict, decision_id, strike_in_words(penalty), is_appealable=is_appealable(verdict))


def strike_in_words(penalty: Penalty | None) -> str:
    if penalty is None or penalty.rung is Rung.NONE:
        return ""
    consequences = {
        Rung.WARN: "Nothing else happens yet; more of them make your pictures wait longer.",
        Rung.SLOW: "Until some of them expire you can have one picture at a time, and it waits longer.",
        Rung.PAUSE: f"You can ask again <t:{int(penalty.until.timestamp())}:R>." if penalty.until else "",
    }
    return f"This counts as strike {penalty.count}. {consequences[penalty.rung]} `/strikes` shows them."


async def use_allowance(connection: aiosqlite.Connection, key: str, origin: Origin, now: datetime, job_id: int) -> None:
    """A permission for one picture is used up by it; of two requests at the same time one gets it.

    Raises NotAllowed. `key` is the `prompt_hash` that was allowed in the origin's server.
    """
    guild_id = origin.place.guild_id or 0
    if not await allowances.take_once(connection, guild_id, origin.user_id, key, job_id, now):
        raise NotAllowed("This prompt was allowed for one picture, and that one is being painted already.")
