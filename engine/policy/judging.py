"""The decision on a prompt: text and place in, verdict out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from domain import Action, ApprovedRequest, Place, PromptRefused, Request, SafetyLevel, Verdict
from engine.policy.allowances import LENGTH, LICENCE_CLAUSES, NO_ALLOWANCES, Allowances, is_appealable, prompt_hash
from engine.policy.frames import Firing, fire
from engine.policy.matching import PERSON, Hit, Lexicon
from engine.policy.names import reads_as_name
from engine.policy.normalise import fold
from engine.policy.reading import Evidence, Reader, Reading, places
from engine.policy.respell import Speller, load_vocabulary
from engine.policy.rules import RULE_SET, Rule, RuleSet, Tier, default_rules
from engine.policy.semantic import NO_OPINION, Opinion, SemanticModel, default_model
from engine.policy.tokens import read
from engine.policy.wording import grounds
from engine.request.inline_syntax import split_request

MAX_CHARACTERS = 1_500
"""Longer prompts are refused, never cut: 225 tokens, the most the model reads, are about 1,000 characters."""

_SEVERITY = (Tier.HARD, Tier.BLOCK, Tier.AGE_RESTRICTED_ONLY, Tier.REVIEW)
_CLAUSE_ORDER = ("b", "real_person", "i", "d", "k", "j", "f", "g", "h", "a", "c", "e", "self_harm", "gore", "adult")
"""Which clause is named where several are broken equally badly: the graver and the narrower one first."""

_AGE_GROUPS = ("b.age", "b.age-number")
_FILLERS = frozenset(("a", "all", "and", "any", "every", "her", "his", "of", "on", "or", "the", "their", "with"))
_MILD_GROUPS = ("prevention", "family_life", *_AGE_GROUPS)
_INVENTED = ("invented_person",)
"""Clause d protects nobody who does not exist, if nobody real is named beside them."""
_REAL = ("public_person", "private_person")
_SURELY_HARMLESS = 0.2
"""Below this total over the licence and its own row a rule of ambiguous words (tier "doubt") is overruled."""
_ALL_BUT_CERTAINLY_HARMLESS = 0.1
"""The same for rules that leave less doubt: long prose names a spread leg or a price list without meaning it."""
_PROSE_WORDS = 12
"""Parts with fewer words are no prose: in them such rules are not overruled."""
_WORDS_ASKED = 400
"""About how many words the model is asked for a prompt's rules; beyond them it has no say, and rules hold."""
_SURELY_MEANT = 0.5
"""From this total on a rule counts although a harmless phrase or an excusing word covers it beside a person."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """One reason against a prompt."""

    rule: str
    clause: str
    tier: Tier
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        known = self.clause in _CLAUSE_ORDER
        return _SEVERITY.index(self.tier), _CLAUSE_ORDER.index(self.clause) if known else len(_CLAUSE_ORDER)


class _Budget:
    """How many words the model may still be asked about in one prompt; parts that were asked about are free."""

    def __init__(self, words: int) -> None:
        self._left = words
        self._known: set[frozenset[int]] = set()

    def allows(self, tags: frozenset[int], words: int) -> bool:
        """Whether the model may be asked about these parts; counts their words against what is left."""
        if tags in self._known:
            return True
        self._left -= words
        if self._left >= 0:
            self._known.add(tags)
        return self._left >= 0


class Policy:
    """Judges prompts by a rule set and, when there is one, a semantic model.

    Without `respells` every word is read as it is written: to measure what the respelling does.
    """

    def __init__(self, rules: RuleSet, model: SemanticModel | None = None, *, respells: bool = True) -> None:
        self.rules = rules
        self.model = model
        lexicon = Lexicon(rules)
        self._reader = Reader(lexicon, Speller(lexicon.words) if respells else None)

    def judge(self, request: Request, place: Place, allowances: Allowances = NO_ALLOWANCES) -> Verdict:
        """The policy's word on `request` as asked for in `place`; never raises, whatever the text.

        The syntax of other bots is split off first, as `approve` does for the pipeline.
        """
        if is_too_long(request):
            return self._refusal(Verdict(action=Action.REFUSE, clause=LENGTH, tier=Tier.HARD))
        asked = prompt_hash(request)
        request = split_request(request)
        readings = self._reader.readings(request.prompt)
        negative = self._negative_groups(request.negative_prompt)
        grounds_found = list(self._rule_grounds(readings, negative, allowances))
        opinion = self._opinion(readings[-1], lifted_tokens(readings[-1], allowances))
        strict = _names(readings, _AGE_GROUPS)
        mild = _names(readings, _MILD_GROUPS)
        if _names(readings, _INVENTED) and not _names(readings, _REAL):
            opinion = replace(opinion, scores={**opinion.scores, "d": 0.0} if opinion.scores else {})
        grounds_found += _semantic_grounds(opinion, place, allowances, mild=mild)
        verdict = self._decide([g for g in grounds_found if _counts(g, place, allowances)], place)
        verdict = replace(verdict, scores=opinion.scores, strict_picture=strict or verdict.action is Action.REVIEW)
        if (
            verdict.action is Action.REFUSE
            and is_appealable(verdict)
            and allowances.once & {asked, prompt_hash(request)}
        ):
            return replace(verdict, action=Action.REVIEW, strict_picture=True)
        return self._refusal(verdict) if verdict.action is Action.REFUSE else verdict

    def approve(self, request: Request, place: Place, allowances: Allowances = NO_ALLOWANCES) -> ApprovedRequest:
        """The request without other bots' syntax, with its verdict; raises PromptRefused when the policy says no."""
        verdict = self.judge(request, place, allowances)
        if verdict.action is Action.REFUSE:
            raise PromptRefused(verdict)
        return ApprovedRequest(split_request(request), place, verdict)

    def forget(self) -> None:
        """Empty the speller's and the model's caches (for measurements)."""
        if self._reader.speller is not None:
            self._reader.speller.forget()
        if self.model is not None:
            self.model.forget()

    def _refusal(self, verdict: Verdict) -> Verdict:
        reason = grounds(verdict.clause or "", appealable=is_appealable(verdict))
        return replace(verdict, reason=reason, rule_set=self.rules.version)

    def _negative_groups(self, negative_prompt: str) -> Mapping[str, list[Hit]]:
        readings = self._reader.readings(negative_prompt) if negative_prompt else []
        named = [(group, _whole_tags(reading, hits)) for reading in readings for group, hits in reading.sure().items()]
        return {group: hits for group, hits in named if hits}

    def _rule_grounds(
        self, readings: list[Reading], negative: Mapping[str, list[Hit]], allowances: Allowances
    ) -> Iterable[_Ground]:
        budget = _Budget(_WORDS_ASKED)
        for reading in readings:
            lifted = lifted_tokens(reading, allowances)
            for firing, evidence in _firings(self.rules.rules, reading, negative):
                if not _is_lifted(firing, lifted) and self._holds(reading, firing, evidence, budget):
                    spans = tuple(sorted(set(places(reading, firing.hits))))
                    yield _Ground(firing.rule.id, firing.rule.clause, _tier(firing.rule, evidence), spans)

    def _holds(self, reading: Reading, firing: Firing, evidence: Evidence, budget: _Budget) -> bool:
        """Whether a firing counts: the model is asked where words are ambiguous, guessed, or covered by a pretext.

        Only the hits' own tags are looked at, so that harmless tags beside them change nothing.
        """
        certain = evidence is Evidence.SURE and firing.rule.tier is not Tier.DOUBT and not firing.rule.ambiguous
        tags = {hit.tag for hit in firing.hits}
        words = sum(token.tag in tags for token in reading.tokens)
        if certain and (words < _PROSE_WORDS or _is_firm(firing.rule) or not _are_english(reading, firing)):
            return True
        scores = self._opinion(reading, tags=tags).scores if budget.allows(frozenset(tags), words) else {}
        held = [share for clause, share in scores.items() if clause in LICENCE_CLAUSES or clause == firing.rule.clause]
        if evidence is Evidence.COVERED:
            return sum(held) >= _SURELY_MEANT
        if not held:
            return certain or not reads_as_name(reading.tokens, firing.hits, reading.found.groups)
        return sum(held) >= (_ALL_BUT_CERTAINLY_HARMLESS if certain else _SURELY_HARMLESS)

    def _opinion(
        self, reading: Reading, lifted: frozenset[int] = frozenset(), tags: Collection[int] | None = None
    ) -> Opinion:
        """The model's opinion on the words outside lifted phrases; of all tags or of some."""
        if self.model is None:
            return NO_OPINION
        words = [t for i, t in enumerate(reading.tokens) if i not in lifted and (tags is None or t.tag in tags)]
        return self.model.opinion(words)

    def _decide(self, found: list[_Ground], place: Place) -> Verdict:
        version = self.rules.version
        if not found:
            return Verdict(action=Action.ALLOW, rule_set=version)
        refusing = [ground for ground in found if _refuses(ground, place)]
        worst = min(refusing or found, key=lambda ground: ground.rank)
        return Verdict(
            action=Action.REFUSE if refusing else Action.REVIEW,
            clause=worst.clause,
            rules=tuple(dict.fromkeys(ground.rule for ground in sorted(found, key=lambda ground: ground.rank))),
            tier=worst.tier,
            spans=tuple(sorted({span for ground in found for span in ground.spans})),
            rule_set=version,
        )


def _firings(
    rules: Iterable[Rule], reading: Reading, negative: Mapping[str, list[Hit]]
) -> Iterator[tuple[Firing, Evidence]]:
    """The rules that fire in a reading, each with the best evidence that there is for it."""
    seen: set[str] = set()
    excused: dict[str, Firing] = {}
    for groups, evidence in reading.stages():
        for firing in fire(rules, groups, negative):
            if firing.excused:
                excused.setdefault(firing.rule.id, firing)
            elif firing.rule.id not in seen:
                seen.add(firing.rule.id)
                yield firing, evidence
    for name, firing in excused.items():
        if name not in seen and _is_beside_person(firing, reading.found.groups):
            yield firing, Evidence.COVERED


def _is_beside_person(firing: Firing, groups: Mapping[str, list[Hit]]) -> bool:
    """Whether words that excuse a rule stand beside a person; clause b's own rules know which do."""
    people = {hit.tag for hit in groups.get(PERSON, ())}
    return firing.rule.clause != "b" and not people.isdisjoint(hit.tag for hit in firing.hits)


def _is_firm(rule: Rule) -> bool:
    """Whether the model has no say in a rule: it reads the positive prompt only, and knows no artists."""
    return rule.firm or bool(rule.negative) or rule.tier in (Tier.HARD, Tier.REVIEW)


def _are_english(reading: Reading, firing: Firing) -> bool:
    """Whether the model can know the words that fired."""
    words = (token.text for hit in firing.hits for token in reading.tokens[hit.first : hit.last + 1])
    return all(word in load_vocabulary() for word in words)


def _tier(rule: Rule, evidence: Evidence) -> Tier:
    """How a firing counts: what is not sure accuses nobody. On minors it asks for a strict look at the picture."""
    unsure = evidence is not Evidence.SURE
    if unsure and rule.clause == "b":
        return Tier.REVIEW
    return Tier.BLOCK if rule.tier is Tier.DOUBT or (unsure and rule.tier is Tier.HARD) else rule.tier


def lifted_tokens(reading: Reading, allowances: Allowances) -> frozenset[int]:
    """The tokens inside phrases that this server's moderators allowed."""
    words = [token.text for token in reading.tokens]
    lifted: set[int] = set()
    for phrase in allowances.phrases:
        wanted = [token.text for token in read(fold(phrase))]
        for start in range(len(words) - len(wanted) + 1) if wanted else ():
            if words[start : start + len(wanted)] == wanted:
                lifted.update(range(start, start + len(wanted)))
    return frozenset(lifted)


def _is_lifted(firing: Firing, lifted: frozenset[int]) -> bool:
    rule: Rule = firing.rule
    if not lifted or rule.clause in LICENCE_CLAUSES or rule.tier is Tier.HARD:
        return False
    return any(lifted.issuperset(range(hit.first, hit.last + 1)) for hit in firing.hits)


def _whole_tags(reading: Reading, hits: Iterable[Hit]) -> list[Hit]:
    """The hits that are all their tag says: "clothes" pushes clothes away, "torn clothes" does not."""
    words: dict[int, list[int]] = {}
    for index, token in enumerate(reading.tokens):
        if token.text not in _FILLERS:
            words.setdefault(token.tag, []).append(index)
    return [hit for hit in hits if all(hit.first <= index <= hit.last for index in words.get(hit.tag, ()))]


def _names(readings: list[Reading], groups: Iterable[str]) -> bool:
    return any(group in reading.found.groups for reading in readings for group in groups)


def _semantic_grounds(opinion: Opinion, place: Place, allowances: Allowances, *, mild: bool) -> Iterable[_Ground]:
    """Above the upper threshold a prompt is refused, between the two it is reviewed; in direct messages refused too.

    `mild` prompts name children, mostly families and schools, or a campaign against what the clause forbids: they are
    refused only where a fifth of the doubt is left that the upper threshold allows.
    """
    grounds_here = [(score, _semantic_ground(clause)) for clause, score in opinion.scores.items()]
    counting = [(score, ground) for score, ground in grounds_here if _counts(ground, place, allowances)]
    if not counting:
        return
    total = sum(score for score, _ in counting)
    likeliest = max(counting, key=lambda pair: pair[0])[1]
    upper = opinion.refuse_at[likeliest.clause]
    if total >= (1 - (1 - upper) / 5 if mild else upper):
        yield likeliest
    elif total >= opinion.review_at[likeliest.clause]:
        yield replace(likeliest, tier=Tier.REVIEW)


def _semantic_ground(clause: str) -> _Ground:
    return _Ground(f"semantic.{clause}", clause, Tier.AGE_RESTRICTED_ONLY if clause == "adult" else Tier.BLOCK)


def _refuses(ground: _Ground, place: Place) -> bool:
    """Direct messages refuse what is reviewed elsewhere, but for a mere suspicion on minors: a refusal would accuse."""
    return ground.tier is not Tier.REVIEW or (place.level is SafetyLevel.STRICT and ground.clause != "b")


def _counts(ground: _Ground, place: Place, allowances: Allowances) -> bool:
    """Whether a ground holds in this place: adult content and what the server lifted pass where adults are let in."""
    if place.level is not SafetyLevel.ADULT or ground.clause in LICENCE_CLAUSES or ground.tier is Tier.HARD:
        return True
    return ground.tier is not Tier.AGE_RESTRICTED_ONLY and ground.clause not in ("adult", *allowances.house_rules)


def is_too_long(request: Request) -> bool:
    """Whether a text has more than MAX_CHARACTERS. That accuses nobody: `prepare` says so before anything is judged."""
    return max(len(request.prompt), len(request.negative_prompt)) > MAX_CHARACTERS


@lru_cache(maxsize=1)
def default_policy() -> Policy:
    """The policy the bot ships with; the first call takes some hundred milliseconds."""
    return Policy(default_rules(), default_model())


def judge(request: Request, place: Place, allowances: Allowances = NO_ALLOWANCES) -> Verdict:
    """The policy's word on `request` as asked for in `place`; never raises, whatever the text."""
    return default_policy().judge(request, place, allowances)


def approve(request: Request, place: Place, allowances: Allowances = NO_ALLOWANCES) -> ApprovedRequest:
    """The request with its verdict; raises PromptRefused when the policy says no."""
    return default_policy().approve(request, place, allowances)


__all__ = ["MAX_CHARACTERS", "RULE_SET", "Policy", "approve", "default_policy", "is_too_long", "judge", "lifted_tokens"]
