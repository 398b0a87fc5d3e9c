"""The content policy's prompt side: the licence's clauses and the house rules, applied before anything is painted.

verdict = judge(request, place)            # never raises, whatever the text
approved = approve(request, place)         # or PromptRefused; the only maker of ApprovedRequest
"""

from __future__ import annotations

from engine.policy.allowances import NO_ALLOWANCES, Allowances, is_appealable, is_liftable, prompt_hash
from engine.policy.judging import MAX_CHARACTERS, RULE_SET, approve, is_too_long, judge
from engine.policy.licence import PLAIN_RESTRICTIONS, TERMS_NOTICE, TERMS_VERSION, licence_text

__all__ = [
    "MAX_CHARACTERS",
    "NO_ALLOWANCES",
    "PLAIN_RESTRICTIONS",
    "RULE_SET",
    "TERMS_NOTICE",
    "TERMS_VERSION",
    "Allowances",
    "approve",
    "is_appealable",
    "is_liftable",
    "is_too_long",
    "judge",
    "licence_text",
    "prompt_hash",
]
