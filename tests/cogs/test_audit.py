"""The audit log and the settings in the database: in the transaction of the change, only ever growing."""

from __future__ import annotations

import csv
import io
import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from cogs.moderation.audit import audit_line, to_csv
from db import audit, blocks, guild_settings, ledger, quotas
from db.database import Database
from domain.audit import AuditAction
from domain.quotas import QuotaKind, QuotaRule, QuotaSubject
from domain.settings import ChannelLevel, GuildSettings
from tests.support.people import GUILD, MEMBER, MODERATOR
from tests.support.requests import NOW


async def change(database: Database, channel_id: int = 0, **values: Any) -> dict[str, Any]:
    async with database.transaction() as connection:
        return await guild_settings.change(connection, GUILD, MODERATOR, NOW, channel_id=channel_id, **values)


async def block_and_fail(database: Database) -> None:
    async with database.transaction() as connection:
        await blocks.add(connection, GUILD, MEMBER, MODERATOR, NOW, reason="never written")
        raise ZeroDivisionError


async def test_a_change_that_fails_leaves_no_audit_row(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await block_and_fail(database)
    assert await audit.search(database, GUILD) == []
    assert await blocks.fetch_all(database, GUILD, NOW) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET action = 'another'",
        "UPDATE audit SET actor_id = 5",
        'UPDATE audit SET details = \'{"reason": "another"}\'',
        "DELETE FROM audit",
    ],
)
async def test_the_audit_log_only_grows(database: Database, statement: str) -> None:
    await change(database, max_images=2)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(statement)
    async with database.transaction() as connection:
        await connection.execute("UPDATE audit SET actor_id = NULL, target = NULL, details = '{}'")


async def test_filters_narrow_the_log_down(database: Database) -> None:
    await change(database, max_images=2)
    async with database.transaction() as connection:
        later = NOW + timedelta(days=2)
        await blocks.add(connection, GUILD, MEMBER, 98, later, reason="spam")
        await ledger.grant(
            connection, GUILD, QuotaSubject(QuotaKind.MEMBER, MEMBER), 5000, MODERATOR, later, reason="prize"
        )
        await audit.record(connection, 77, MODERATOR, AuditAction.BLOCK_ADD, f"member:{MEMBER}", {}, later)

    async def actions(**filters: Any) -> list[str]:
        return [row.action for row in await audit.search(database, GUILD, **filters)]

    assert await actions() == ["quota.grant", "block.add", "settings.change"]
    assert await actions(actor_id=98) == ["block.add"]
    assert await actions(target=f"member:{MEMBER}") == ["quota.grant", "block.add"]
    assert await actions(target="member:2") == []
    assert await actions(action="block") == ["block.add"]
    assert await actions(action="bloc") == []
    assert await actions(since=NOW + timedelta(days=1)) == ["quota.grant", "block.add"]


async def test_what_was_done_to_a_members_pictures_is_found_with_the_member(database: Database) -> None:
    async with database.transaction() as connection:
        await audit.record(connection, GUILD, MODERATOR, AuditAction.JOB_DELETE, "job:5", {"member": MEMBER}, NOW)
    assert [row.target for row in await audit.search(database, GUILD, target=f"member:{MEMBER}")] == ["job:5"]
    assert await audit.search(database, GUILD, target="member:2") == []


async def test_a_chosen_audit_channel_gets_what_happens_from_then_on(database: Database) -> None:
    await change(database, max_images=2)
    assert await audit.unposted(database, 10) == []
    await change(database, audit_channel_id=5)
    await change(database, max_images=3)
    waiting = await audit.unposted(database, 10)
    details = [(channel_id, row.details) for channel_id, row in waiting]
    assert details == [
        (5, {"audit_channel_id": 5}),
        (5, {"max_images": 3}),
    ]
    async with database.transaction() as connection:
        await audit.mark_posted(connection, GUILD, waiting[-1][1].id)
    assert await audit.unposted(database, 10) == []


async def test_a_server_with_many_waiting_rows_keeps_no_other_server_waiting(database: Database) -> None:
    async with database.transaction() as connection:
        for guild_id, rows in ((GUILD, 30), (77, 1)):
            await guild_settings.change(connection, guild_id, MODERATOR, NOW, audit_channel_id=5)
            for _ in range(rows):
                await audit.record(connection, guild_id, MODERATOR, AuditAction.BLOCK_ADD, f"member:{MEMBER}", {}, NOW)
    waiting = await audit.unposted(database, 10)
    assert [row.guild_id for _, row in waiting].count(GUILD) == 10
    assert [row.guild_id for _, row in waiting].count(77) == 2


async def test_settings_read_back_and_say_what_changed(database: Database) -> None:
    assert await guild_settings.load(database, GUILD) == GuildSettings()
    assert await change(database, allowed_shapes=("square",), max_images=4) == {"allowed_shapes": ("square",)}
    assert (await guild_settings.load(database, GUILD)).allowed_shapes == ("square",)
    assert await change(database, channel_id=5, level=ChannelLevel.STRICT) == {"level": ChannelLevel.STRICT}
    assert (await guild_settings.load_channel(database, GUILD, 5)).level is ChannelLevel.STRICT
    assert (await guild_settings.load_channel(database, GUILD, 6)).level is ChannelLevel.STANDARD


async def test_a_csv_cell_never_starts_a_formula_and_the_line_speaks_credits(database: Database) -> None:
    async with database.transaction() as connection:
        rule = QuotaRule(
            guild_id=GUILD,
            subject=QuotaSubject(QuotaKind.ROLE, 3),
            per_hour=1500,
            actor_id=MODERATOR,
            set_at=NOW,
            reason="=1+1",
        )
        await quotas.set_rule(connection, rule)
    rows = await audit.search(database, GUILD)
    table = list(csv.reader(io.StringIO(to_csv(rows).decode("utf-8-sig"))))
    assert table[1][1:5] == ["2026-01-01T00:00:00+00:00", str(MODERATOR), "quota.set", "role:3"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row)
    assert "<@&3>: per hour 1.5 credits, reason =1+1" in audit_line(rows[0])
