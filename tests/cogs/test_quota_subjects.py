"""A kind of quota subject is whole only where the tables take it and the cards can name it."""

from __future__ import annotations

import pytest

from cogs.moderation.quota_cards import subject_name
from db import quotas
from db.database import Database
from domain.quotas import QuotaKind, QuotaRule, QuotaSubject
from tests.support.people import GUILD, MODERATOR
from tests.support.requests import NOW


@pytest.mark.parametrize("kind", QuotaKind)
async def test_a_rule_for_every_kind_of_subject_is_kept_and_named(database: Database, kind: QuotaKind) -> None:
    subject = QuotaSubject(kind, 5)
    rule = QuotaRule(guild_id=GUILD, subject=subject, per_hour=1000, actor_id=MODERATOR, set_at=NOW, reason="test")
    async with database.transaction() as connection:
        await quotas.set_rule(connection, rule)
    assert [kept.subject for kept in await quotas.fetch_rules(database, GUILD, NOW)] == [subject]
    others = {subject_name(QuotaSubject(other, 5)) for other in QuotaKind if other is not kind}
    assert subject_name(subject) not in others
