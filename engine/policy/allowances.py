"""What a server's moderators allowed after an appeal, and which verdicts may be allowed at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from domain import Request, Verdict

LICENCE_CLAUSES = frozenset("abcdefghijk")
# The "clause" of a text that is too long to be judged.
LENGTH = "length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowances:
    """A server's corrections of the policy.

    `once` holds `prompt_hash`es of requests that a moderator let through after an appeal; `phrases` holds texts whose
    words no longer count for house rules in this server; `house_rules` names house rules the server switched off in
    its age-restricted, opted-in channels. None of them reaches clause b or a rule of tier "hard", and the last two
    reach no licence clause.
    """

    once: frozenset[str] = frozenset()
    phrases: frozenset[str] = frozenset()
    house_rules: frozenset[str] = frozenset()


NO_ALLOWANCES = Allowances()


def prompt_hash(request: Request) -> str:
    """SHA-256 of both texts with case and runs of white space levelled; the key of "allow once"."""
    texts = (" ".join(text.casefold().split()) for text in (request.prompt, request.negative_prompt))
    return hashlib.sha256("\x00".join(texts).encode("utf-8", "replace")).hexdigest()


def is_appealable(verdict: Verdict) -> bool:
    """Whether a moderator may let this one request through: everything but clause b, hard rules, and a length."""
    return verdict.clause not in ("b", LENGTH) and verdict.tier != "hard"


def is_liftable(verdict: Verdict) -> bool:
    """Whether a server may allow the phrase from now on: house rules only, never a clause of the licence."""
    return is_appealable(verdict) and verdict.clause is not None and verdict.clause not in LICENCE_CLAUSES
