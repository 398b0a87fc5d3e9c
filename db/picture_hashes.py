"""The fingerprints of released pictures, by which a copy that was uploaded again is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import aiosqlite

from db.database import Database


@dataclass(frozen=True, slots=True)
class StoredHashes:
    """One picture's fingerprint (see `engine.images.fingerprint`)."""

    job_id: int
    position: int
    hashes: bytes = field(repr=False)


async def store(connection: aiosqlite.Connection, job_id: int, hashes: Sequence[tuple[int, bytes]]) -> None:
    """Keep (position, fingerprint) pairs of a job's pictures; repeated calls change nothing."""
    await connection.executemany(
        "INSERT INTO picture_hashes (job_id, position, hashes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(job_id, position, data) for position, data in hashes],
    )


async def fetch_for_guild(database: Database, guild_id: int) -> list[StoredHashes]:
    """Every fingerprint of one server's pictures, newest first; other servers' pictures are nobody's business here."""
    rows = await database.fetch_all(
        """SELECT picture_hashes.* FROM picture_hashes JOIN jobs ON jobs.id = picture_hashes.job_id
           WHERE jobs.guild_id = ? ORDER BY job_id DESC, position""",
        (guild_id,),
    )
    return [StoredHashes(row["job_id"], row["position"], row["hashes"]) for row in rows]
