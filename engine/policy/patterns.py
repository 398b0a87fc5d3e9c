"""Numbers that say whom one can harm: cards, bank accounts, telephones, addresses, and ages below eighteen.

Each finder gives hits of the group "pattern.…" (ages: "b.age-number"). Check digits are verified, so that
"1234 5678 9012 3456" on a toy card is no card. Every expression is bounded: linear in the text's length.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from engine.policy.matching import Hit
from engine.policy.normalise import Folded
from engine.policy.tokens import Token

_CARD = re.compile(r"(?<!\d)[3-6]\d{3}(?:[ -]?\d){9,15}(?!\d)")
_SSN = re.compile(r"(?<!\d)(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\d)")
_IBAN = re.compile(r"(?<![a-z0-9])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,4})?(?![a-z0-9])")
_PHONE = re.compile(r"(?<!\d)\+?\d(?:[ ().-]{0,2}\d){9,14}(?!\d)|(?<!\d)\d{3}-\d{4}(?!\d)")
_EMAIL = re.compile(r"(?<![a-z0-9])[a-z0-9][a-z0-9._+-]{0,40}@[a-z0-9-]{1,40}(?:\.[a-z0-9-]{2,20}){1,3}")
_STREET = r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|boulevard|blvd|court|terrace|place)"
_ADDRESS = re.compile(
    rf"(?<!\d)\d{{1,5}} (?:[a-z]{{2,20}} ){{1,3}}{_STREET}(?![a-z])|[a-z]{{3,25}}(?:strasse|str\.) \d{{1,4}}(?!\d)"
)

_ADULT_AGE = 18
_NUMBERS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen"""
_NUMBER_WORDS = {word: number for number, word in enumerate(_NUMBERS.split(), 1)}
_GREATER = """eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand
thousands million millions"""
_GREATER_WORDS = frozenset(_GREATER.split())
_LONGEST_SPACED = 6
_ERA_NAMES = """bronze dark dragon golden ice iron jazz middle modern new space stone"""
_ERAS = frozenset(_ERA_NAMES.split())
_RANGE_WORDS = frozenset(("to", "or", "and"))
_YOUNGEST_IN_RANGE = 13
_AGE_TOKEN = re.compile(r"(\d{1,2})(?:yo|yos|yrs?|y)?")
_GLUED_AGE = re.compile(r"(\d{1,2})(?:yo|yos|yrs?|y)")
_YEARS = frozenset(["year", "years", "yr", "yrs"])
_FOREIGN_YEARS = (
    "jahrig",
    "jahre",
    "ans",
    "anos",
    "anni",
    "jaar",
    "jarig",
    "letni",
    "лет",
    "річн",
    "років",
    "yasinda",
    "歳",
    "才",
    "岁",
    "歲",
    "살",
    "세",
)
_AGED = """whisky whiskey scotch wine rum cheese bourbon cognac tree oak house car building port vinegar dog cat horse
tv laptop computer bottle mead brandy tequila bonsai olive anniversary warranty mortgage contract plan"""
_AGED_THINGS = frozenset(_AGED.split())


def find(folded: Folded, tokens: list[Token]) -> Iterator[Hit]:
    """The hits of every pattern in a text and its words."""
    text = folded.text
    yield from _ages(tokens)
    if any(character.isdigit() for character in text):
        for group, expression in (
            ("card", _CARD),
            ("ssn", _SSN),
            ("iban", _IBAN),
            ("phone", _PHONE),
            ("address", _ADDRESS),
        ):
            for match in expression.finditer(text):
                if _is_valid(group, match.group()):
                    yield from _hits(f"pattern.{group}", folded, match, tokens)
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield from _hits("pattern.email", folded, match, tokens)


def _hits(group: str, folded: Folded, match: re.Match[str], tokens: list[Token]) -> Iterator[Hit]:
    start, end = folded.positions[match.start()], folded.positions[match.end() - 1]
    first = bisect_left(tokens, start, key=lambda token: token.start)
    last = bisect_left(tokens, end + 1, key=lambda token: token.start) - 1
    if first <= last:
        yield Hit(group, first, last, tokens[first].tag)


def _is_valid(group: str, text: str) -> bool:
    if group == "card":
        return passes_luhn(re.sub(r"\D", "", text))
    if group == "iban":
        return passes_mod97(text.replace(" ", ""))
    return True


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: the check digit of payment cards; a row of one digit is no number."""
    if len(set(digits)) < 2:
        return False
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def passes_mod97(text: str) -> bool:
    """ISO 13616: the check digits of an IBAN, given in lower case without spaces."""
    if not 15 <= len(text) <= 34 or not text.isascii():
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def _ages(tokens: list[Token]) -> Iterator[Hit]:
    """`14 year old`, `14yo`, `fourteen years old`, `aged 14`, `1 4 years old`, in words of other languages too."""
    for index, token in enumerate(tokens):
        first, age = _whole_number(tokens, index)
        if index + 1 < len(tokens) and _is_spaced_digit(token, tokens[index + 1]):
            continue
        if age is None or age >= _ADULT_AGE:
            continue
        following = [other.text for other in tokens[index + 1 : index + 6]]
        before = [other.text for other in tokens[max(0, first - 4) : first]]
        last = _age_length(token.text, before, following)
        if last is not None and not _AGED_THINGS.intersection(before + following[:4]):
            yield Hit("b.age-number", first, index + last, token.tag)


def _whole_number(tokens: list[Token], index: int) -> tuple[int, int | None]:
    """Where the number that ends at `index` starts, and its value: `4 0` is 40, `twenty five` is not five."""
    token = tokens[index]
    value = _number(token.text)
    before = tokens[index - 1] if index else None
    if value is None or before is None or before.tag != token.tag:
        return index, value
    if before.text in _GREATER_WORDS or (
        before.text == "and" and index > 1 and tokens[index - 2].text in _GREATER_WORDS
    ):
        return index, None
    first = index
    while first and index - first < _LONGEST_SPACED and _is_spaced_digit(tokens[first - 1], tokens[first]):
        first -= 1
    digits = "".join(other.text for other in tokens[first : index + 1])
    return first, _number(digits) if first < index else value


def _is_spaced_digit(before: Token, digit: Token) -> bool:
    """Whether two figures with one character between them belong to one number."""
    return (
        len(before.text) == 1
        and before.text.isdigit()
        and digit.text[:1].isdigit()
        and not digit.text[1:2].isdigit()
        and digit.start - before.end == 1
        and before.tag == digit.tag
    )


def _age_length(word: str, before: list[str], following: list[str]) -> int | None:
    """How many words after the number belong to the age; None when it is no age."""
    if _GLUED_AGE.fullmatch(word):
        return 0
    if before[-1:] == ["aged"] or (before[-1:] == ["age"] and not _ERAS.intersection(before[-2:-1])):
        return 0
    if not following:
        return None
    if following[0] in ("yo", "y"):
        return 1
    if following[0] in _YEARS and (following[1:2] in (["old"], ["olds"]) or following[1:3] == ["of", "age"]):
        return 2
    upper = _upper_bound(word, following)
    if upper:
        rest = _age_length(following[upper - 1], [], following[upper:])
        return None if rest is None else rest + upper
    return 1 if following[0].startswith(_FOREIGN_YEARS) else None


def _upper_bound(word: str, following: list[str]) -> int:
    """How many words after the lower bound of `14-16 years old`, `14 to 16 years old` the upper one ends; 0 if none.

    Of two numbers without a word between the first may also count people: `2 20 year old women`.
    """
    lower = _number(word) or 0
    if following[0] in _RANGE_WORDS:
        return 2 if (_number(" ".join(following[1:2])) or 0) > lower else 0
    return 1 if (_number(following[0]) or 0) > lower >= _YOUNGEST_IN_RANGE else 0


def _number(word: str) -> int | None:
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    match = _AGE_TOKEN.fullmatch(word)
    return int(match.group(1)) if match and match.group(1).isascii() else None
