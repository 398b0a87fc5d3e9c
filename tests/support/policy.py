"""The policy's rules without the semantic model, and the places in which tests ask them."""

from __future__ import annotations

from domain import Action, Place
from engine.policy.__main__ import request_of
from scripts.policy_examples import rules_alone

__all__ = ["CHANNEL", "GROWN_UP", "is_refused", "rules_alone"]

CHANNEL = Place(guild_id=1)
GROWN_UP = Place(guild_id=1, age_restricted=True, adult_opt_in=True)


def is_refused(prompt: str, negative: str = "") -> bool:
    """Whether the rules alone refuse it in an ordinary channel."""
    return rules_alone().judge(request_of(prompt, negative), CHANNEL).action is Action.REFUSE
