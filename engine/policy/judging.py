"""The decision on a prompt: rules and place in, verdict out."""

from __future__ import annotations

import unicodedata

from domain import Action, ApprovedRequest, Place, PromptRefused, Request, SafetyLevel, Verdict
from engine.policy.allowances import NO_ALLOWANCES, Allowances, is_appealable, prompt_hash
from engine.policy.rules import Rule, RuleSet, Tier, default_rules
from engine.policy.wording import grounds

RULE_SET = "2026.11.23"
MAX_CHARACTERS = 1_500


def judge(request: Request, place: Place, allowances: Allowances = NO_ALLOWANCES) -> Verdict:
    """The policy's word on `request` as asked for in `place`."""
    if max(len(request.prompt), len(request.negative_prompt)) > MAX_CHARACTERS:
        return Verdict(
            action=Action.REFUSE, clause="length", reason=grounds("length", appealable=False), rule_set=RULE_SET
        )
    rules = default_rules()
    fired = [rule for rule in rules.rules if _fires(rule, rules, request.prompt) and _counts(rule, place)]
    if not fired:
        return Verdict(action=Action.ALLOW, rule_set=RULE_SET)
    worst = fired[0]
    verdict = Verdict(
        action=Action.REFUSE, clause=worst.clause, tier=worst.tier, rules=tuple(r.id for r in fired), rule_set=RULE_SET
    )
    if is_appealable(verdict) and prompt_hash(request) in allowances.once:
        return Verdict(
            action=Action.REVIEW, clause=worst.clause, tier=worst.tier, rules=verdict.rules, rule_set=RULE_SET
        )
    return _with_reason(verdict)


def approve(request: Request, place: Place, allowances: Allowances = NO_ALLOWANCES) -> ApprovedRequest:
    """The request with its verdict; raises PromptRefused when the policy says no."""
    verdict = judge(request, place, allowances)
    if verdict.action is Action.REFUSE:
        raise PromptRefused(verdict)
    return ApprovedRequest(request, place, verdict)


def _with_reason(verdict: Verdict) -> Verdict:
    reason = grounds(verdict.clause or "", appealable=is_appealable(verdict))
    return Verdict(
        action=verdict.action,
        clause=verdict.clause,
        tier=verdict.tier,
        rules=verdict.rules,
        reason=reason,
        rule_set=RULE_SET,
    )


def _counts(rule: Rule, place: Place) -> bool:
    return rule.tier is not Tier.AGE_RESTRICTED_ONLY or place.level is not SafetyLevel.ADULT


def _fires(rule: Rule, rules: RuleSet, prompt: str) -> bool:
    text = unicodedata.normalize("NFKC", prompt).casefold()
    padded = " " + " ".join("".join(c if c.isalnum() else " " for c in text).split()) + " "
    for phrase in rules.allow:
        padded = padded.replace(f" {phrase} ", " ")
    return all(any(_holds(padded, term) for term in rules.groups[group]) for group in rule.all)


def _holds(padded: str, term: str) -> bool:
    return f" {term.rstrip('*')}" + ("" if term.endswith("*") else " ") in padded
