"""Picture credits: what members have left, and what moderators decide about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from db import guild_settings, ledger, quotas
from domain import InvalidRequest, ModelProfile, RequestOptions
from domain.quotas import (
    DAY,
    HOUR,
    Asker,
    LedgerEntry,
    MemberCredits,
    QuotaExplanation,
    QuotaKind,
    QuotaLimits,
    QuotaOverview,
    QuotaRule,
    QuotaStanding,
    QuotaSubject,
    SubjectCredits,
)
from engine.prepare import complete
from engine.request.cost import millicredits_for
from service.context import Context, Topic
from service.limits import Limits

SHOWN_ENTRIES = 12


class Quotas:
    """A member's standing comes from the statement that decides about their next request."""

    def __init__(self, context: Context, limits: Limits, profile: ModelProfile) -> None:
        self._context = context
        self._limits = limits
        self._profile = profile

    # ---- looking ---------------------------------------------------------------------------------------------------

    async def standing(self, asker: Asker) -> QuotaStanding:
        """Where a member stands now, in one channel."""
        return await quotas.fetch_standing(self._context.database, asker, self._limits.defaults, self._context.now())

    async def usual_prices(self, guild_id: int) -> Mapping[str, int]:
        """What this model's usual pictures cost with the server's preset (0: direct messages), in millicredits."""
        settings = await guild_settings.load(self._context.database, guild_id)
        usual = complete(RequestOptions(prompt="1girl, smile", preset=settings.preset, seed=0), self._profile)
        return {
            f"{shape}, {width}×{height}, {usual.num_inference_steps} steps": millicredits_for(
                replace(usual, width=width, height=height), self._profile
            )
            for shape, (width, height) in self._profile.shapes.items()
        }

    async def fetch_member(self, asker: Asker) -> MemberCredits:
        """What a member has left in one channel, when more comes back, and what pictures cost."""
        standing = await self.standing(asker)
        return MemberCredits(
            user_id=asker.user_id,
            standing=standing,
            prices=await self.usual_prices(asker.guild_id),
            refills_at=standing.refills_at(self._context.now()),
        )

    async def fetch_subject(self, guild_id: int, subject: QuotaSubject) -> SubjectCredits:
        """What moderators decided for a role, a channel or everyone."""
        database, now = self._context.database, self._context.now()
        rules = await quotas.fetch_rules(database, guild_id, now)
        rule = next((rule for rule in rules if rule.subject == subject), None)
        if subject.kind not in (QuotaKind.CHANNEL, QuotaKind.EVERYONE):
            return SubjectCredits(subject=subject, rule=rule)
        channel_id = subject.id or None
        return SubjectCredits(
            subject=subject,
            rule=rule,
            spent_hour=await ledger.fetch_spent(database, guild_id, channel_id, now - HOUR),
            spent_day=await ledger.fetch_spent(database, guild_id, channel_id, now - DAY),
        )

    async def fetch_history(self, guild_id: int, subject: QuotaSubject) -> list[LedgerEntry]:
        """The ledger's latest rows about this subject alone, newest first."""
        return await ledger.fetch_history(self._context.database, guild_id, subject, limit=SHOWN_ENTRIES)

    async def explain(self, asker: Asker) -> QuotaExplanation:
        """Which rule decides each of a member's values in one channel, and all rules that could have."""
        rules = await quotas.fetch_rules(self._context.database, asker.guild_id, self._context.now())
        subjects = {
            QuotaSubject(QuotaKind.MEMBER, asker.user_id),
            QuotaSubject(QuotaKind.CHANNEL, asker.channel_id),
            QuotaSubject(QuotaKind.EVERYONE),
            *(QuotaSubject(QuotaKind.ROLE, role_id) for role_id in asker.role_ids),
        }
        return QuotaExplanation(
            user_id=asker.user_id,
            standing=await self.standing(asker),
            rules=tuple(rule for rule in rules if rule.subject in subjects),
        )

    async def fetch_overview(self, guild_id: int) -> QuotaOverview:
        """All that a server's moderators have decided."""
        database, now = self._context.database, self._context.now()
        return QuotaOverview(
            rules=tuple(await quotas.fetch_rules(database, guild_id, now)),
            grants=tuple(await ledger.fetch_grants(database, guild_id, now)),
        )

    # ---- deciding --------------------------------------------------------------------------------------------------

    async def set_rule(
        self,
        guild_id: int,
        subject: QuotaSubject,
        limits: QuotaLimits,
        actor_id: int,
        *,
        reason: str,
        expires_in: timedelta | None = None,
    ) -> QuotaRule:
        """Decide what the subject may spend, from the next request on; values that are None stay as they were.

        Raises InvalidRequest if the limits decide nothing.
        """
        if limits == QuotaLimits():
            raise InvalidRequest("Give at least one of: per_hour, per_day, jobs, weight.")
        now = self._context.now()
        rule = QuotaRule(
            guild_id=guild_id,
            subject=subject,
            per_hour=limits.per_hour,
            per_day=limits.per_day,
            max_jobs=limits.max_jobs,
            weight=limits.weight,
            reason=reason,
            actor_id=actor_id,
            set_at=now,
            expires_at=now + expires_in if expires_in else None,
        )
        async with self._context.writing(Topic.AUDIT) as connection:
            await quotas.set_rule(connection, rule)
        return rule

    async def remove_rule(self, guild_id: int, subject: QuotaSubject, actor_id: int) -> bool:
        """Take the subject's rule away, so that the next one down holds; False if there was none."""
        async with self._context.writing(Topic.AUDIT) as connection:
            return await quotas.remove_rule(connection, guild_id, subject, actor_id, self._context.now())

    async def grant(
        self,
        guild_id: int,
        subject: QuotaSubject,
        millicredits: int,
        actor_id: int,
        *,
        reason: str,
        expires_in: timedelta | None = None,
    ) -> None:
        """Give extra credits that stay until they are spent; to a group: that much for each of its members."""
        now = self._context.now()
        expires_at = now + expires_in if expires_in else None
        async with self._context.writing(Topic.AUDIT) as connection:
            await ledger.grant(
                connection, guild_id, subject, millicredits, actor_id, now, reason=reason, expires_at=expires_at
            )

    async def reset(self, guild_id: int, subject: QuotaSubject, actor_id: int, *, reason: str) -> None:
        """Forgive what the subject has spent in this server, so that the whole allowance is there again."""
        async with self._context.writing(Topic.AUDIT) as connection:
            await ledger.reset(connection, guild_id, subject, actor_id, self._context.now(), reason=reason)
