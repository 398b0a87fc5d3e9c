"""What befalls the bot, one event a round, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sandbox.rest.limits import CUT, Fault

CALLBACK = ("POST", "/interactions/{interaction_id}/{token}/callback")
ROUTES = (
    CALLBACK,
    ("PATCH", "/webhooks/{application_id}/{token}/messages/{message_id}"),
    ("GET", "/webhooks/{application_id}/{token}/messages/{message_id}"),
    ("POST", "/webhooks/{application_id}/{token}"),
    ("POST", "/channels/{channel_id}/messages"),
    ("PATCH", "/channels/{channel_id}/messages/{message_id}"),
    ("GET", "/channels/{channel_id}/messages"),
)
# (route, HTTP status, Discord's code): each means something else to the bot (cogs/core/answers.py). What says that a
# message is gone which is there, or that a token is wrong, is left out: Discord does not lie.
REFUSALS = (
    (ROUTES[5], 403, 50013),
    (ROUTES[5], 400, 30046),
    (ROUTES[5], 413, 0),
    (ROUTES[5], 400, 50035),
    (ROUTES[5], 400, 200000),
    (ROUTES[4], 403, 50013),
    (ROUTES[4], 413, 0),
    (ROUTES[4], 400, 50035),
    (CALLBACK, 404, 10062),
)
# Kind and how often it comes, of a hundred.
FAULTS = {
    "Discord answers 5xx or 429": 20,
    "Discord cuts, or its answer is lost": 20,
    "Discord answers 4xx": 10,
    "Discord is late": 10,
    "the gateway breaks": 10,
    "database locked": 10,
    "database full": 8,
    "database I/O error": 7,
    "clock jumps": 5,
}
KILLS = ("SIGKILL", "SIGTERM")
CLOCKS = (-3_600.0, -300.0, 0.0, 300.0, 3_600.0, 20 * 3_600.0)


@dataclass(frozen=True, slots=True)
class Piece:
    """So many rounds on one database and one Discord; pieces know nothing of each other."""

    number: int
    seed: str
    events: tuple[str, ...]


def plan(seed: int, kills: int, faults: int, size: int) -> list[Piece]:
    """All events in a random order, cut into pieces."""
    dice = random.Random(seed)
    kinds, weights = list(FAULTS), list(FAULTS.values())
    events = [dice.choice(KILLS) for _ in range(kills)] + dice.choices(kinds, weights, k=faults)
    dice.shuffle(events)
    starts = range(0, len(events), size)
    return [
        Piece(number, f"{seed} {number}", tuple(events[start : start + size])) for number, start in enumerate(starts)
    ]


def discord_fault(kind: str, dice: random.Random, busy: set[tuple[str, str]]) -> Fault:
    """One way in which Discord's answer is wrong, for some requests to a route of those that the bot uses now."""
    if kind == "Discord answers 4xx":
        route, status, code = dice.choice([one for one in REFUSALS if one[0] in busy] or REFUSALS)
        return Fault(*route, status=status, code=code, times=dice.randint(1, 3))
    route, times = dice.choice([one for one in ROUTES if one in busy] or ROUTES), dice.randint(1, 6)
    if kind == "Discord cuts, or its answer is lost":
        return Fault(*route, status=dice.choice((CUT, 500, 503)), times=times, after=dice.random() < 0.7)
    status = dice.choice((429, 500, 502, 503))
    return Fault(*route, status=status, times=times, retry_after=dice.uniform(0.05, 2.0))
