"""The bot's own limits: what holds where a server's moderators have decided nothing."""

from __future__ import annotations

from domain.frozen import frozen
from domain.quotas import QuotaDefaults, to_millicredits


@frozen
class Limits:
    """Whole credits and jobs; `.env.example` explains each."""

    max_queue: int = 500
    max_jobs_per_user: int = 10
    credits_per_hour: int = 60
    credits_per_day: int = 600

    @property
    def defaults(self) -> QuotaDefaults:
        return QuotaDefaults(
            per_hour=to_millicredits(self.credits_per_hour),
            per_day=to_millicredits(self.credits_per_day),
            max_jobs=self.max_jobs_per_user,
        )
