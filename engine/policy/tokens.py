"""Words with their places: the plain reading of a levelled text, and the one with spelling tricks undone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.policy.normalise import Folded
from engine.policy.respell import Speller

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+(?:'[^\W_{_UNSPACED}]+)*")
_BREAK = re.compile(r"[,;\u3001\u3002\n|]")
_SPACED_LETTERS = re.compile(r"(?<![^\W_])[^\W_](?:[\W_]{1,5}[^\W_](?![^\W_])){2,}")
_CHUNK = re.compile(r"[^\s,;\u3001\u3002]+")
_LOOK_ALIKES = str.maketrans(
    "аеорсухіѕјԁһӏєзвнкмтпигяьбоυνκρτοαειηωγχβμσπѵԛԝғցոսօհզքԍ",
    "aeopcyxisjdhle3bhkmtnnrrb6ouvkptoaeinwyxbuonvqwfgnuohqpg",
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word; `start` and `end` are offsets into the prompt, `tag` counts the comma-separated parts."""

    text: str
    start: int
    end: int
    tag: int


def read(folded: Folded) -> list[Token]:
    """The words as they stand."""
    tokens: list[Token] = []
    tag = 0
    last = 0
    for match in _WORD.finditer(folded.text):
        if last and _BREAK.search(folded.text, last, match.start()):
            tag += 1
        last = match.end()
        word = match.group()
        if "'" in word:
            word = word.removesuffix("'s").replace("'", "")
        if not word.isascii():
            word = _latinise(word)
        tokens.append(Token(word, folded.positions[match.start()], folded.positions[last - 1] + 1, tag))
    return tokens


def repair(folded: Folded, tokens: list[Token], speller: Speller) -> list[Token]:
    """The words with spelling tricks undone; `tokens` itself when there are none."""
    if all(speller.knows(token.text) for token in tokens):
        return tokens
    tokens = _join_spaced(folded, tokens, speller)
    tokens = _mend_chunks(folded, tokens, speller)
    return _join_fragments(tokens, speller)


def _latinise(word: str) -> str:
    """Foreign letters that look Latin, as Latin ones: in words of mixed scripts only."""
    if any("a" <= character <= "z" for character in word):
        return word.translate(_LOOK_ALIKES)
    return word


def _join_spaced(folded: Folded, tokens: list[Token], speller: Speller) -> list[Token]:
    """`n u d e`, `n.u.d.e`: rows of three and more single letters."""
    for match in reversed(list(_SPACED_LETTERS.finditer(folded.text))):
        start, end = folded.positions[match.start()], folded.positions[match.end() - 1] + 1
        inside = [index for index, token in enumerate(tokens) if start <= token.start < end]
        words = _spaced_words(match.group(), speller)
        if inside and words:
            tag = tokens[inside[0]].tag
            tokens = [
                *tokens[: inside[0]],
                *(Token(word, start, end, tag) for word in words),
                *tokens[inside[-1] + 1 :],
            ]
    return tokens


def _spaced_words(row: str, speller: Speller) -> tuple[str, ...]:
    """The words of a row of letters: by its wider gaps if it has any, by the vocabulary otherwise."""
    gaps = re.findall(r"[\W_]+", row)
    narrow = min(map(len, gaps))
    wide = max(map(len, gaps))
    if wide > narrow:
        parts = [re.sub(r"[\W_]+", "", part) for part in re.split(rf"[\W_]{{{narrow + 1},}}", row)]
        words = [word for part in parts for word in _meant(part, speller)]
        if words and len("".join(words)) >= len("".join(parts)) - len(parts):
            return tuple(words)
    return _meant("".join(character for character in row if character.isalnum()), speller)


def _meant(word: str, speller: Speller) -> tuple[str, ...]:
    return (word,) if speller.knows(word) or len(word) == 1 else speller.respell(word)


def _mend_chunks(folded: Folded, tokens: list[Token], speller: Speller) -> list[Token]:
    """Unknown words, and words with symbols inside, one run of non-blanks at a time."""
    chunks = [(folded.positions[m.start()], folded.positions[m.end() - 1] + 1, m.group()) for m in _CHUNK.finditer(folded.text)]
    mended: list[Token] = []
    index = 0
    for start, end, chunk in chunks:
        inside: list[Token] = []
        while index < len(tokens) and tokens[index].start < end:
            if tokens[index].start >= start:
                inside.append(tokens[index])
            index += 1
        mended += _mend(inside, chunk, speller)
    return mended + tokens[index:]


def _mend(inside: list[Token], chunk: str, speller: Speller) -> list[Token]:
    if not inside or all(speller.knows(token.text) and len(token.text) > 1 for token in inside):
        return inside
    whole = _mend_whole(inside, chunk, speller)
    if whole:
        return [Token(word, inside[0].start, inside[-1].end, inside[0].tag) for word in whole]
    return [
        Token(word, token.start, token.end, token.tag)
        for token in inside
        for word in (_meant(token.text, speller) or (token.text,))
    ]


def _mend_whole(inside: list[Token], chunk: str, speller: Speller) -> tuple[str, ...]:
    """The chunk read as one word, if it is a word with symbols strewn in."""
    if len(inside) == 1 and chunk.strip("()[]{}.:?!\"'-~*") == inside[0].text:
        return ()
    unmasked = speller.unmask(chunk.strip("()[]{}\"'.:?,"))
    return (unmasked,) if unmasked else speller.respell(chunk)


def _join_fragments(tokens: list[Token], speller: Speller) -> list[Token]:
    """`na ked`: neighbours that only make a word together."""
    joined: list[Token] = []
    index = 0
    while index < len(tokens):
        for count in (3, 2):
            group = tokens[index : index + count]
            if len(group) == count and _belong(group, speller):
                word = "".join(token.text for token in group)
                joined.append(Token(word, group[0].start, group[-1].end, group[0].tag))
                index += count
                break
        else:
            joined.append(tokens[index])
            index += 1
    return joined


def _belong(group: list[Token], speller: Speller) -> bool:
    if group[0].tag != group[-1].tag:
        return False
    word = "".join(token.text for token in group)
    if word in speller.lexicon:
        return len(word) >= 6 or not all(speller.knows(token.text) for token in group)
    unknown = sum(not speller.knows(token.text) for token in group)
    return unknown >= 1 and len(word) >= 5 and speller.vocabulary.get(word, 99_999) < 20_000
