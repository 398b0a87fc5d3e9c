"""The one statement that resolves a member's quota: used to accept a job, to explain, and to show what is left.

Everybody reads the same text, so the member's view, the moderators' view and what is really enforced can't differ.
Parameters are listed in `parameters`; amounts are millicredits.

Resolution, for each value on its own: member's rule, else the best of the roles' rules, else the channel's, else the
server's, else the bot's default. A value that a rule of the server decides counts what was spent in that server; the
bot's default counts what the member spent anywhere.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from db.codec import to_seconds
from domain.quotas import DAY, HOUR, Asker, QuotaDefaults

# What was spent further in the future was written while the clock was ahead, and weighs on nobody.
CLOCK_AHEAD = timedelta(hours=1)


def parameters(asker: Asker, defaults: QuotaDefaults, now: datetime, cost: int = 0) -> dict[str, Any]:
    """Everything that `STANDING` and `SPLIT` refer to."""
    return {
        "user_id": asker.user_id,
        "guild_id": asker.guild_id,
        "channel_id": asker.channel_id,
        "role_ids": json.dumps(asker.role_ids),
        "now": to_seconds(now),
        "hour_ago": to_seconds(now - HOUR),
        "day_ago": to_seconds(now - DAY),
        "ahead": to_seconds(now + CLOCK_AHEAD),
        "default_hour": defaults.per_hour,
        "default_day": defaults.per_day,
        "default_jobs": defaults.max_jobs,
        "cost": cost,
    }


def _applies(table: str, channel: str) -> str:
    """Whether a rule, grant or reset is meant for this member."""
    return f"""({table}.subject = 'everyone'
        OR ({table}.subject = 'member' AND {table}.subject_id = :user_id)
        OR ({table}.subject = 'role' AND {table}.subject_id IN (SELECT value FROM json_each(:role_ids)))
        OR ({table}.subject = 'channel' AND {table}.subject_id = {channel}))"""


STANDING = f"""
rules AS MATERIALIZED (
    SELECT *, CASE subject WHEN 'member' THEN 1 WHEN 'role' THEN 2 WHEN 'channel' THEN 3 ELSE 4 END AS level
    FROM quota_rules AS rule
    WHERE guild_id = :guild_id AND guild_id <> 0 AND (expires_at IS NULL OR expires_at > :now)
      AND {_applies("rule", ":channel_id")}
),
hour_rule AS (SELECT subject, subject_id, per_hour AS value FROM rules WHERE per_hour IS NOT NULL
              ORDER BY level, per_hour DESC LIMIT 1),
day_rule AS (SELECT subject, subject_id, per_day AS value FROM rules WHERE per_day IS NOT NULL
             ORDER BY level, per_day DESC LIMIT 1),
jobs_rule AS (SELECT subject, subject_id, max_jobs AS value FROM rules WHERE max_jobs IS NOT NULL
              ORDER BY level, max_jobs DESC LIMIT 1),
weight_rule AS (SELECT subject, subject_id, weight AS value FROM rules WHERE weight IS NOT NULL
                ORDER BY level, weight DESC LIMIT 1),
budget AS (
    SELECT per_hour, per_day, max_jobs, weight FROM quota_rules
    WHERE guild_id = :guild_id AND guild_id <> 0 AND subject = 'server' AND (expires_at IS NULL OR expires_at > :now)
),
spent AS MATERIALIZED (
    SELECT guild_id, amount, counts_at FROM ledger AS entry
    WHERE kind IN ('spend', 'refund') AND subject_id = :user_id AND counts_at > :day_ago AND counts_at <= :ahead
      AND grant_id IS NULL
      AND NOT EXISTS (
          SELECT 1 FROM ledger AS mark
          WHERE mark.kind = 'reset' AND mark.guild_id = entry.guild_id AND mark.id > coalesce(entry.anchor_id, entry.id)
            AND {_applies("mark", "entry.channel_id")}
      )
),
hour_spent AS MATERIALIZED (
    SELECT * FROM spent
    WHERE counts_at > :hour_ago AND (guild_id = :guild_id OR NOT EXISTS (SELECT 1 FROM hour_rule))
),
day_spent AS MATERIALIZED (
    SELECT * FROM spent WHERE guild_id = :guild_id OR NOT EXISTS (SELECT 1 FROM day_rule)
),
limits AS MATERIALIZED (
    SELECT
        coalesce((SELECT value FROM hour_rule), :default_hour) AS per_hour,
        coalesce((SELECT value FROM day_rule), :default_day) AS per_day,
        coalesce((SELECT value FROM jobs_rule), :default_jobs) AS max_jobs,
        coalesce((SELECT value FROM weight_rule), 1.0) AS weight,
        coalesce((SELECT weight FROM budget), 1.0) AS guild_weight,
        (SELECT coalesce(-sum(amount), 0) FROM hour_spent) AS used_hour,
        (SELECT coalesce(-sum(amount), 0) FROM day_spent) AS used_day,
        (SELECT count(*) FROM jobs WHERE user_id = :user_id AND status IN ('queued', 'running')
             AND (coalesce(guild_id, 0) = :guild_id OR NOT EXISTS (SELECT 1 FROM jobs_rule))) AS open_jobs
),
grants AS MATERIALIZED (
    SELECT id, expires_at, amount + coalesce(
        (SELECT sum(used.amount) FROM ledger AS used WHERE used.grant_id = entry.id AND used.subject_id = :user_id), 0
    ) AS left_over
    FROM ledger AS entry
    WHERE kind = 'grant' AND guild_id = :guild_id AND (expires_at IS NULL OR expires_at > :now)
      AND {_applies("entry", ":channel_id")}
),
standing AS MATERIALIZED (
    SELECT *,
        max(min(per_hour - used_hour, per_day - used_day), 0) AS allowance,
        (SELECT coalesce(sum(left_over), 0) FROM grants) AS extra
    FROM limits
),
guild AS MATERIALIZED (
    SELECT
        (SELECT per_hour FROM budget) AS per_hour, (SELECT per_day FROM budget) AS per_day,
        (SELECT max_jobs FROM budget) AS max_jobs,
        (SELECT coalesce(-sum(amount), 0) FROM ledger WHERE kind IN ('spend', 'refund') AND guild_id = :guild_id
             AND counts_at > :hour_ago AND counts_at <= :ahead AND EXISTS (SELECT 1 FROM budget)) AS used_hour,
        (SELECT coalesce(-sum(amount), 0) FROM ledger WHERE kind IN ('spend', 'refund') AND guild_id = :guild_id
             AND counts_at > :day_ago AND counts_at <= :ahead AND EXISTS (SELECT 1 FROM budget)) AS used_day,
        (SELECT count(*) FROM jobs WHERE guild_id = :guild_id AND status IN ('queued', 'running')) AS open_jobs
)
"""

# Which part of the cost comes from the refilling allowance and which from whose extra credits: soonest to expire first.
SPLIT = """
(
    SELECT json_group_array(json_object('amount', amount, 'grant', grant_id, 'channel', :channel_id))
    FROM (
        SELECT min(:cost, allowance) AS amount, NULL AS grant_id FROM standing
        UNION ALL
        SELECT min(left_over, max(:cost - allowance, 0) - before) AS amount, id AS grant_id
        FROM standing, (
            SELECT id, left_over, coalesce(sum(left_over) OVER (
                ORDER BY coalesce(expires_at, 9e99), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), 0) AS before FROM grants
        )
    ) WHERE amount > 0
)
"""

AFFORDABLE = """
    :cost <= standing.allowance + standing.extra
    AND standing.open_jobs < min(standing.max_jobs, :jobs_cap)
    AND :cost <= coalesce(guild.per_hour - guild.used_hour, :cost)
    AND :cost <= coalesce(guild.per_day - guild.used_day, :cost)
    AND guild.open_jobs < coalesce(guild.max_jobs, guild.open_jobs + 1)
"""

# Whether a row of blocks keeps the member from painting in the server now.
BLOCK_HOLDS = """
    (expires_at IS NULL OR expires_at > :now)
    AND ((guild_id = 0 AND user_id = :user_id) OR (guild_id = :guild_id AND user_id IN (0, :user_id)))
"""

NOT_BLOCKED = f"NOT EXISTS (SELECT 1 FROM blocks WHERE {BLOCK_HOLDS})"
