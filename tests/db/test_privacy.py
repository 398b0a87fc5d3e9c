"""What is stored of a member: shown, handed out, and every table with people in it known."""

import json

from db import erasure, privacy
from db.database import Database
from tests.support.people import MEMBER
from tests.support.traces import PNG, WORDS, live

PEOPLE_COLUMNS = ("user_id", "opened_by", "resolved_by", "granted_by", "set_by", "created_by", "actor_id", "lifted_by")


async def test_the_export_holds_every_row_and_lists_every_picture(database: Database) -> None:
    await live(database, MEMBER)
    rows = json.loads(json.dumps(await privacy.export(database, MEMBER)))
    counts = {privacy.HELD[table][0]: len(found) for table, found in rows.items() if found}
    assert counts == await privacy.summarise(database, MEMBER)
    assert WORDS in rows["jobs"][0]["request"]
    assert [size for _, _, size in await privacy.list_pictures(database, MEMBER)] == [len(PNG)]


async def test_every_table_with_a_member_in_it_is_known(database: Database) -> None:
    rows = await database.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'")
    known = {*privacy.HELD, *(table for table, _ in erasure.ACTORS)}
    for table in [row["name"] for row in rows]:
        columns = {row["name"] for row in await database.fetch_all(f"PRAGMA table_info({table})")}
        if columns & set(PEOPLE_COLUMNS):
            assert table in known, f"{table} holds people, but db/privacy.py does not know it"
