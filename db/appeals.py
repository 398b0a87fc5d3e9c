"""Appeals, reports and approvals: one case each, decided once, shown to moderators and told to the member.

`resolve` moves an open case to its end in one statement, so of two moderators pressing at once one decides.
What still has to appear in Discord is a row (`fetch_unshown`, `fetch_untold`), never a task that a crash forgets.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

import aiosqlite

from db.codec import decode_origin, decode_request, encode_origin, encode_request, to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain import Origin, Request
from domain.cases import Case, CaseKind, CaseStatus, Grounds, History

# ---- the refused request ---------------------------------------------------------------------------------------------


async def keep_refused(
    connection: aiosqlite.Connection, decision_id: int, request: Request, origin: Origin, now: datetime
) -> None:
    """Keep what was refused, so that it can be painted as it was asked if the appeal succeeds."""
    await connection.execute(
        """INSERT INTO refused_requests (decision_id, request, origin, init_image, mask_image, created_at)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (
            decision_id,
            encode_request(request),
            encode_origin(origin),
            request.init_image,
            request.mask_image,
            to_seconds(now),
        ),
    )


async def fetch_refused(database: Database, decision_id: int) -> tuple[Request, Origin] | None:
    row = await database.fetch_one("SELECT * FROM refused_requests WHERE decision_id = ?", (decision_id,))
    if row is None:
        return None
    return decode_request(row["request"], row["init_image"], row["mask_image"]), decode_origin(row["origin"])


async def fetch_grounds(database: Database, decision_id: int) -> Grounds | None:
    return await database.find_one(decode_grounds, "SELECT * FROM decisions WHERE id = ?", (decision_id,))


async def fetch_picture_grounds(database: Database, job_id: int) -> Grounds | None:
    """The decision by which a job's picture was withheld."""
    return await database.find_one(
        decode_grounds,
        "SELECT * FROM decisions WHERE job_id = ? AND subject = 'picture' ORDER BY id LIMIT 1",
        (job_id,),
    )


async def fetch_history(database: Database, guild_id: int, user_id: int) -> History:
    row = await database.fetch_one(
        """SELECT
             (SELECT count(*) FROM jobs WHERE guild_id = :guild_id AND user_id = :user_id
                AND status IN ('done', 'delivered')) AS pictures,
             (SELECT count(*) FROM decisions WHERE guild_id = :guild_id AND user_id = :user_id
                AND action IN ('refuse', 'withhold')) AS refusals,
             (SELECT count(*) FROM cases WHERE guild_id = :guild_id AND user_id = :user_id
                AND kind = 'appeal' AND status IN ('upheld', 'blocked')) AS appeals_upheld,
             (SELECT count(*) FROM cases WHERE guild_id = :guild_id AND user_id = :user_id
                AND kind = 'appeal' AND status IN ('allowed_once', 'allowed_here')) AS appeals_allowed,
             (SELECT count(*) FROM cases WHERE guild_id = :guild_id AND user_id = :user_id
                AND kind = 'report' AND status IN ('removed', 'blocked')) AS reports_removed""",
        {"guild_id": guild_id, "user_id": user_id},
    )
    assert row is not None
    return from_row(History, row)


# ---- cases -----------------------------------------------------------------------------------------------------------


async def open_case(
    connection: aiosqlite.Connection,
    kind: CaseKind,
    *,
    guild_id: int,
    channel_id: int,
    user_id: int,
    opened_by: int,
    now: datetime,
    decision_id: int | None = None,
    job_id: int | None = None,
    statement: str = "",
) -> int | None:
    """A new case's id, or None if this appeal, this member's report or this approval is there already."""
    row = await fetch_one(
        connection,
        """INSERT INTO cases (kind, guild_id, channel_id, user_id, opened_by, decision_id, job_id, statement, opened_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id""",
        (kind, guild_id, channel_id, user_id, opened_by, decision_id, job_id, statement, to_seconds(now)),
    )
    return int(row["id"]) if row else None


async def resolve(
    connection: aiosqlite.Connection, case_id: int, status: CaseStatus, resolved_by: int, now: datetime
) -> bool:
    """open → `status`; False if somebody decided it before."""
    row = await fetch_one(
        connection,
        """UPDATE cases SET status = ?, resolved_by = ?, resolved_at = ? WHERE id = ? AND status = 'open'
           RETURNING id""",
        (status, resolved_by, to_seconds(now), case_id),
    )
    return row is not None


async def fetch_case(database: Database, case_id: int) -> Case | None:
    return await database.find_one(_case, "SELECT * FROM cases WHERE id = ?", (case_id,))


async def fetch_appeal(database: Database, decision_id: int) -> Case | None:
    return await database.find_one(
        _case, "SELECT * FROM cases WHERE decision_id = ? AND kind = 'appeal'", (decision_id,)
    )


async def fetch_approval(database: Database, job_id: int) -> Case | None:
    return await database.find_one(_case, "SELECT * FROM cases WHERE job_id = ? AND kind = 'approval'", (job_id,))


async def fetch_held(database: Database) -> frozenset[int]:
    """The jobs whose pictures wait for a moderator's yes."""
    rows = await database.fetch_all("SELECT job_id FROM cases WHERE kind = 'approval' AND status = 'open'")
    return frozenset(int(row["job_id"]) for row in rows)


async def fetch_open_cases(database: Database, guild_id: int) -> list[Case]:
    rows = await database.fetch_all(
        "SELECT * FROM cases WHERE guild_id = ? AND status = 'open' ORDER BY id", (guild_id,)
    )
    return [_case(row) for row in rows]


def _review_channel(guild: str) -> str:
    return f"""SELECT json_extract(value, '$') FROM place_settings
        WHERE place_settings.guild_id = {guild} AND place_settings.channel_id = 0 AND name = 'review_channel_id'"""


UNSHOWN = f"""
SELECT * FROM (
    SELECT cases.*, coalesce(card_channel_id, ({_review_channel("cases.guild_id")})) AS shown_in
    FROM cases WHERE shown_status IS NOT status
) WHERE shown_in IS NOT NULL ORDER BY id
"""


async def fetch_unshown(database: Database) -> list[tuple[Case, int]]:
    """Cases whose card does not show their status (or that have no card), each with the channel of its card.

    Oldest first. A case of a server without a review channel waits until there is one.
    """
    return [(_case(row), int(row["shown_in"])) for row in await database.fetch_all(UNSHOWN)]


async def has_review_channel(database: Database, guild_id: int) -> bool:
    """Whether the server's moderators chose a channel for cards."""
    row = await database.fetch_one(_review_channel("?"), (guild_id,))
    return row is not None and row[0] is not None


async def mark_shown(
    connection: aiosqlite.Connection, case_id: int, status: CaseStatus, channel_id: int | None, message_id: int | None
) -> None:
    await connection.execute(
        "UPDATE cases SET shown_status = ?, card_channel_id = ?, card_message_id = ? WHERE id = ?",
        (status, channel_id, message_id, case_id),
    )


async def fetch_card_channels(database: Database, guild_ids: Sequence[int]) -> list[tuple[int, int]]:
    """(server, channel) in which cards of open cases stand."""
    rows = await database.fetch_all(
        """SELECT DISTINCT guild_id, card_channel_id FROM cases
           WHERE guild_id IN (SELECT value FROM json_each(?)) AND status = 'open' AND card_channel_id IS NOT NULL""",
        (json.dumps(list(guild_ids)),),
    )
    return [(int(row["guild_id"]), int(row["card_channel_id"])) for row in rows]


async def let_go_of_cards(connection: aiosqlite.Connection, guild_id: int, channel_id: int) -> None:
    """A channel is gone with its cards: those of open cases are to be shown where the server has them now."""
    await connection.execute(
        """UPDATE cases SET shown_status = NULL, card_channel_id = NULL, card_message_id = NULL
           WHERE guild_id = ? AND status = 'open' AND card_channel_id = ?""",
        (guild_id, channel_id),
    )


async def fetch_untold(database: Database) -> list[Case]:
    """Decided cases whose member has not been told, oldest first."""
    rows = await database.fetch_all("SELECT * FROM cases WHERE status != 'open' AND told_at IS NULL ORDER BY id")
    return [_case(row) for row in rows]


async def mark_told(connection: aiosqlite.Connection, case_id: int, now: datetime) -> None:
    await connection.execute("UPDATE cases SET told_at = ? WHERE id = ?", (to_seconds(now), case_id))


# ---- approval mode ---------------------------------------------------------------------------------------------------


async def set_approval(
    connection: aiosqlite.Connection, guild_id: int, channel_id: int, is_on: bool, actor_id: int, now: datetime
) -> None:
    """Switch a channel's approval mode."""
    if is_on:
        await connection.execute(
            """INSERT INTO approval_channels (channel_id, guild_id, set_by, set_at) VALUES (?, ?, ?, ?)
               ON CONFLICT DO NOTHING""",
            (channel_id, guild_id, actor_id, to_seconds(now)),
        )
    else:
        await connection.execute("DELETE FROM approval_channels WHERE channel_id = ?", (channel_id,))


async def needs_approval(database: Database, channel_ids: tuple[int, ...]) -> bool:
    """Whether one of the channels (a thread and its parent) is in approval mode."""
    marks = ", ".join("?" * len(channel_ids))
    row = await database.fetch_one(f"SELECT 1 FROM approval_channels WHERE channel_id IN ({marks})", channel_ids)
    return row is not None


def _case(row: sqlite3.Row) -> Case:
    return from_row(Case, row)


def decode_grounds(row: sqlite3.Row) -> Grounds:
    """A row of the decisions."""
    texts = {name: json.loads(row[name]) for name in ("rules", "scores", "spans")}
    return from_row(Grounds, row, **texts)
