"""Prompt channels and the messages that were read in them, each once."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

import aiosqlite

from db.codec import to_datetime, to_seconds
from db.database import Database, fetch_one
from db.rows import from_row
from domain.prompt_channels import PromptChannel, PromptMessage, PromptStatus

_COLUMNS = (
    "channel_id",
    "guild_id",
    "opened_by",
    "prefix",
    "suffix",
    "negative_prompt",
    "preset",
    "shape",
    "seed",
    "cooldown_seconds",
    "answer",
    "other_messages",
)


async def save(connection: aiosqlite.Connection, channel: PromptChannel, now: datetime) -> None:
    """Open the channel, or change how it works; where its reading stands is set when it is opened only."""
    values = {name: getattr(channel, name) for name in (*_COLUMNS, "latest_message_id")}
    names, marks = ", ".join(_COLUMNS), ", ".join(f":{name}" for name in _COLUMNS)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in ("channel_id", "opened_by"))
    await connection.execute(
        f"""INSERT INTO prompt_channels ({names}, latest_message_id, opened_at)
            VALUES ({marks}, :latest_message_id, :now)
            ON CONFLICT (channel_id) DO UPDATE SET {changes}, problem = NULL""",
        {**values, "now": to_seconds(now)},
    )


async def close(connection: aiosqlite.Connection, channel_id: int) -> bool:
    """Messages are only messages again; False if the channel was none of ours."""
    row = await fetch_one(
        connection, "DELETE FROM prompt_channels WHERE channel_id = ? RETURNING channel_id", (channel_id,)
    )
    return row is not None


async def fetch(database: Database, channel_id: int) -> PromptChannel | None:
    return await database.find_one(_channel, "SELECT * FROM prompt_channels WHERE channel_id = ?", (channel_id,))


async def fetch_all(database: Database, guild_id: int | None = None) -> list[PromptChannel]:
    rows = await database.fetch_all(
        "SELECT * FROM prompt_channels WHERE :guild_id IS NULL OR guild_id = :guild_id ORDER BY opened_at",
        {"guild_id": guild_id},
    )
    return [_channel(row) for row in rows]


async def note_problem(connection: aiosqlite.Connection, channel_id: int, problem: str | None) -> bool:
    """Remember the problem moderators hear about; False if they have heard of it already."""
    row = await fetch_one(
        connection,
        "UPDATE prompt_channels SET problem = :problem WHERE channel_id = :id AND problem IS NOT :problem RETURNING 1",
        {"problem": problem, "id": channel_id},
    )
    return row is not None


# ---- messages --------------------------------------------------------------------------------------------------------


async def take_message(
    connection: aiosqlite.Connection, channel: PromptChannel, message_id: int, user_id: int, now: datetime
) -> PromptStatus | None:
    """Claim a message: taken, cooling if its member must wait, or None if it was claimed before.

    The cooldown is part of the insert, so a burst of one member's messages lets exactly one through.
    """
    row = await fetch_one(
        connection,
        """INSERT INTO prompt_messages (message_id, channel_id, guild_id, user_id, taken_at, status)
           SELECT :message_id, :channel_id, :guild_id, :user_id, :now,
                  CASE WHEN EXISTS (SELECT 1 FROM prompt_messages
                                    WHERE channel_id = :channel_id AND user_id = :user_id
                                      AND status IN ('taken', 'accepted')
                                      AND taken_at > :since AND taken_at <= :until)
                       THEN 'cooling' ELSE 'taken' END
           WHERE true ON CONFLICT DO NOTHING RETURNING status""",
        {
            "message_id": message_id,
            "channel_id": channel.channel_id,
            "guild_id": channel.guild_id,
            "user_id": user_id,
            **_cooldown(channel, now),
        },
    )
    await connection.execute(
        """UPDATE prompt_channels SET latest_message_id = max(coalesce(latest_message_id, 0), ?)
           WHERE channel_id = ?""",
        (message_id, channel.channel_id),
    )
    return PromptStatus(row["status"]) if row else None


def _cooldown(channel: PromptChannel, now: datetime) -> dict[str, float]:
    """The pictures that a member must wait after: of the cooldown before `now`.

    One that is further ahead than a cooldown lasts was taken while the clock was wrong, and keeps nobody waiting.
    """
    length = timedelta(seconds=channel.cooldown_seconds)
    return {"now": to_seconds(now), "since": to_seconds(now - length), "until": to_seconds(now + length)}


async def take_hint(
    connection: aiosqlite.Connection, channel_id: int, message_id: int, user_id: int, now: datetime, since: datetime
) -> bool:
    """Claim a direct message for an answer in words; False if it was before, or its member had one after `since`."""
    row = await fetch_one(
        connection,
        """INSERT INTO prompt_messages (message_id, channel_id, guild_id, user_id, taken_at, status)
           SELECT :message_id, :channel_id, 0, :user_id, :now, 'answered'
           WHERE NOT EXISTS (SELECT 1 FROM prompt_messages
                             WHERE channel_id = :channel_id AND user_id = :user_id AND status = 'answered'
                               AND taken_at > :since AND taken_at <= :now)
           ON CONFLICT DO NOTHING RETURNING 1""",
        {
            "message_id": message_id,
            "channel_id": channel_id,
            "user_id": user_id,
            "now": to_seconds(now),
            "since": to_seconds(since),
        },
    )
    return row is not None


async def take_again(
    connection: aiosqlite.Connection, channel: PromptChannel, message: PromptMessage, now: datetime
) -> bool:
    """Claim an edited message, if its member's cooldown is over; it begins again with this.

    One that became no picture yet is taken like a new one: it counts before it is accepted, and survives a kill.
    """
    row = await fetch_one(
        connection,
        """UPDATE prompt_messages SET taken_at = :now, status = CASE WHEN job_id IS NULL THEN 'taken' ELSE status END
           WHERE message_id = :message_id
             AND NOT EXISTS (SELECT 1 FROM prompt_messages AS other
                             WHERE other.channel_id = :channel_id AND other.user_id = :user_id
                               AND other.status IN ('taken', 'accepted')
                               AND other.taken_at > :since AND other.taken_at <= :until)
           RETURNING 1""",
        {
            "message_id": message.message_id,
            "channel_id": channel.channel_id,
            "user_id": message.user_id,
            **_cooldown(channel, now),
        },
    )
    return row is not None


async def fetch_recent(database: Database, channel_id: int, limit: int) -> list[PromptMessage]:
    """The latest messages that became pictures, newest first."""
    rows = await database.fetch_all(
        """SELECT * FROM prompt_messages WHERE channel_id = ? AND status = 'accepted'
           ORDER BY message_id DESC LIMIT ?""",
        (channel_id, limit),
    )
    return [_message(row) for row in rows]


async def give_back(connection: aiosqlite.Connection, job_id: int, earlier_id: int) -> None:
    """The message shows the picture again that it had before it was edited."""
    await connection.execute("UPDATE prompt_messages SET job_id = ? WHERE job_id = ?", (earlier_id, job_id))


async def free_at(database: Database, channel: PromptChannel, user_id: int, now: datetime) -> datetime | None:
    """When the member's cooldown ends."""
    row = await database.fetch_one(
        """SELECT max(taken_at) AS latest FROM prompt_messages
           WHERE channel_id = :channel_id AND user_id = :user_id AND status IN ('taken', 'accepted')
             AND taken_at <= :until""",
        {"channel_id": channel.channel_id, "user_id": user_id, **_cooldown(channel, now)},
    )
    if row is None or row["latest"] is None:
        return None
    return to_datetime(row["latest"]) + timedelta(seconds=channel.cooldown_seconds)


async def was_told_to_wait(
    database: Database, channel: PromptChannel, user_id: int, message_id: int, now: datetime
) -> bool:
    """Whether the member has an earlier message in this cooldown that we answered with "please wait"."""
    row = await database.fetch_one(
        """SELECT 1 FROM prompt_messages
           WHERE channel_id = :channel_id AND user_id = :user_id AND status = 'cooling' AND message_id < :message_id
             AND taken_at <= :until
             AND taken_at >= (SELECT max(taken_at) FROM prompt_messages
                              WHERE channel_id = :channel_id AND user_id = :user_id
                                AND status IN ('taken', 'accepted') AND taken_at <= :until)""",
        {"channel_id": channel.channel_id, "user_id": user_id, "message_id": message_id, **_cooldown(channel, now)},
    )
    return row is not None


async def accept_message(connection: aiosqlite.Connection, message_id: int, job_id: int) -> None:
    """The message's prompt became a job; an edited message's newest job counts."""
    await connection.execute(
        "UPDATE prompt_messages SET job_id = ?, status = 'accepted' WHERE message_id = ?", (job_id, message_id)
    )


async def answer_message(connection: aiosqlite.Connection, message_id: int, reply_id: int | None) -> None:
    """The message got words instead of a picture; what was painted before it was edited stays with it."""
    await connection.execute(
        "UPDATE prompt_messages SET status = 'answered', reply_id = ? WHERE message_id = ?",
        (reply_id, message_id),
    )


async def fetch_message(database: Database, message_id: int) -> PromptMessage | None:
    return await database.find_one(_message, "SELECT * FROM prompt_messages WHERE message_id = ?", (message_id,))


async def fetch_message_of_job(database: Database, job_id: int) -> PromptMessage | None:
    return await database.find_one(_message, "SELECT * FROM prompt_messages WHERE job_id = ?", (job_id,))


async def fetch_unfinished(database: Database, channel_id: int) -> list[PromptMessage]:
    """Messages that were claimed when the process ended, and became nothing yet."""
    rows = await database.fetch_all(
        "SELECT * FROM prompt_messages WHERE channel_id = ? AND status = 'taken' ORDER BY message_id", (channel_id,)
    )
    return [_message(row) for row in rows]


async def forget_message(connection: aiosqlite.Connection, message_id: int) -> None:
    await connection.execute("DELETE FROM prompt_messages WHERE message_id = ?", (message_id,))


def _channel(row: sqlite3.Row) -> PromptChannel:
    return from_row(PromptChannel, row)


def _message(row: sqlite3.Row) -> PromptMessage:
    return from_row(PromptMessage, row)
