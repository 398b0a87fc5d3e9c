"""Words with their places: the plain reading of a levelled text, and the one with spelling tricks undone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.policy.normalise import Folded
from engine.policy.respell import UNREAD, Respelt, Speller

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_SIGNS = "\u2620-\u271d\u26a1\u274c\U0001f300-\U0001faff"
_VOWEL_SIGNS = "\u0900-\u0963\u0966-\u0e3e\u0e40-\u0e4e\u0e50-\u0eff"
_LETTER = rf"(?:[^\W_{_UNSPACED}]|[{_VOWEL_SIGNS}])"
_WORD = re.compile(rf"[{_UNSPACED}]+|{_LETTER}+(?:'{_LETTER}+)*|[{_SIGNS}]")
_BREAK = re.compile(r"[,;\u3001\u3002\n|]")
_SPACED_LETTERS = re.compile(r"(?<![^\W_])[^\W_](?:[\W_]{1,5}[^\W_](?![^\W_])){2,}")
_LONGEST_LETTERS = 40
_LONGEST_ROW = 150
_LONGEST_NAME_APART = 14
_LONGEST_RUN = 24
_GAP = re.compile(r"[\W_]+")
_CHUNK = re.compile(r"[^\s,;\u3001\u3002]+")
_LOOK_ALIKES = str.maketrans(
    "аеорсухіѕјԁһӏєзвнкмтпигяьбоυνκρτοαειηωγχβμσπѵԛԝғցոսօհզքԍ",
    "aeopcyxisjdhle3bhkmtnnrrb6ouvkptoaeinwyxbuonvqwfgnuohqpg",
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word; `start` and `end` are offsets into the prompt, `tag` counts the comma-separated parts.

    A `guessed` word was read out of another spelling without a visible trick: it may never accuse anybody alone.
    """

    text: str
    start: int
    end: int
    tag: int
    guessed: bool = False


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
    if "*" not in folded.text and all(speller.knows(token.text) for token in tokens):
        return tokens
    tokens = _turn_back(tokens, speller)
    tokens = _join_spaced(folded, tokens, speller)
    tokens = _respace(tokens, speller)
    tokens = _mend_chunks(folded, tokens, speller)
    return _join_pairs(tokens, speller)


def _turn_back(tokens: list[Token], speller: Speller) -> list[Token]:
    """Text of which most unknown words are known when read backwards."""
    unknown = [token.text for token in tokens if not speller.knows(token.text)]
    turned = sum(len(word) >= 4 and speller.knows(word[::-1]) for word in unknown)
    if turned < 2 or 2 * turned < len(unknown):
        return tokens
    return [
        replace(token, text=token.text[::-1], guessed=True) if speller.knows(token.text[::-1]) else token
        for token in tokens
    ]


def _latinise(word: str) -> str:
    """Foreign letters that look Latin, as Latin ones: in words of mixed scripts only."""
    if any("a" <= character <= "z" for character in word):
        return word.translate(_LOOK_ALIKES)
    return word


def _join_spaced(folded: Folded, tokens: list[Token], speller: Speller) -> list[Token]:
    """`n u d e`, `n.u.d.e`: rows of three and more single letters."""
    joined: list[Token] = []
    index = 0
    for match in _SPACED_LETTERS.finditer(folded.text):
        places = [folded.positions[match.start() + at] for at, c in enumerate(match.group()) if c.isalnum()]
        while index < len(tokens) and tokens[index].start < places[0]:
            joined.append(tokens[index])
            index += 1
        inside = [token for token in tokens[index : index + len(places)] if token.start <= places[-1]]
        words = _spaced_words(match.group(), speller)
        if inside and words:
            index += len(inside)
            joined += _laid_out(words, places, inside[0].tag)
    return joined + tokens[index:]


Words = list[tuple[str, bool]]
"""Words read out of others, and whether each is guessed."""


def _laid_out(words: Words, places: list[int], tag: int) -> Iterator[Token]:
    """The words as tokens, each over its own letters as far as their number allows."""
    at = 0
    for word, guessed in words:
        first = min(at, len(places) - 1)
        at += len(word)
        yield Token(word, places[first], places[min(at, len(places)) - 1] + 1, tag, guessed)


def _spaced_words(row: str, speller: Speller) -> Words:
    """The words of a row of letters: by its wider gaps if it has any, by the vocabulary otherwise."""
    gaps = [_width(gap) for gap in _GAP.findall(row)]
    narrow = min(gaps)
    parts = _parts(row, narrow) if max(gaps) > narrow else [_GAP.sub("", row)]
    return [found for part in parts for found in _row_words(part, speller)]


def _row_words(letters: str, speller: Speller) -> Words:
    """One word if the letters are one, the likeliest row of words otherwise, read in blocks if it is long.

    Letters that stand apart are a visible trick: one word is sure, and so are the words of a long row without remnant.
    """
    if len(letters) <= _LONGEST_LETTERS:
        meant = _meant(letters, speller)
        if meant.words:
            return [(word, meant.guessed) for word in meant.words]
    blocks = [letters[start : start + _LONGEST_ROW] for start in range(0, len(letters), _LONGEST_ROW)]
    whole = _LONGEST_NAME_APART <= len(letters) <= _LONGEST_ROW and bool(speller.segment(letters))
    return [(word, not whole) for block in blocks for word in speller.segment(block, lenient=True)]


def _width(gap: str) -> int:
    """How wide a gap looks: blanks part more than other characters."""
    return len(gap) + 2 * gap.count(" ")


def _parts(row: str, narrow: int) -> list[str]:
    """The row's letters, parted at the gaps wider than `narrow`."""
    parts: list[str] = [""]
    for letter, gap in re.findall(r"([^\W_])([\W_]*)", row):
        parts[-1] += letter
        if _width(gap) > narrow:
            parts.append("")
    return [part for part in parts if part]


def _meant(word: str, speller: Speller) -> Respelt:
    return Respelt((word,), False) if speller.knows(word) or len(word) == 1 else speller.respell(word)


def _respace(tokens: list[Token], speller: Speller) -> list[Token]:
    """`na ked wo man`: unknown words and their neighbours, parted differently where that gives known words only."""
    unknown = [not speller.knows(token.text) for token in tokens]
    respaced: list[Token] = []
    index = 0
    while index < len(tokens):
        end = index
        while end < len(tokens) and end - index < _LONGEST_RUN and tokens[end].tag == tokens[index].tag:
            if not any(unknown[max(0, end - 1) : end + 2]):
                break
            end += 1
        run = tokens[index : max(end, index + 1)]
        respaced += _parted_anew(run, speller)
        index += len(run)
    return respaced


def _parted_anew(run: list[Token], speller: Speller) -> list[Token]:
    letters = "".join(token.text for token in run)
    if len(run) < 2 or not letters.isalpha():
        return run
    words = speller.segment(letters)
    if not words or len(words) > len(run) or words == tuple(token.text for token in run):
        return run
    places = [token.start + min(at, token.end - token.start - 1) for token in run for at in range(len(token.text))]
    return list(_laid_out([(word, True) for word in words], places, run[0].tag))


def _mend_chunks(folded: Folded, tokens: list[Token], speller: Speller) -> list[Token]:
    """Unknown words, and words with symbols inside, one run of non-blanks at a time."""
    chunks = [
        (folded.positions[m.start()], folded.positions[m.end() - 1] + 1, m.group())
        for m in _CHUNK.finditer(folded.text)
    ]
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
    masked = "*" in chunk.strip("*")
    if not inside or (not masked and all(speller.knows(token.text) and len(token.text) > 1 for token in inside)):
        return inside
    whole = _mend_whole(inside, chunk, speller)
    if whole.words:
        first = inside[0]
        return [Token(word, first.start, inside[-1].end, first.tag, whole.guessed) for word in whole.words]
    return [mended for token in inside for mended in _mend_word(token, speller)]


def _mend_word(token: Token, speller: Speller) -> list[Token]:
    meant = _meant(token.text, speller)
    if not meant.words or meant.words == (token.text,):
        return [token]
    return [replace(token, text=word, guessed=meant.guessed) for word in meant.words]


def _mend_whole(inside: list[Token], chunk: str, speller: Speller) -> Respelt:
    """The chunk read as one word, if it is a word with symbols strewn in."""
    if len(inside) == 1 and chunk.strip("()[]{}.:?!\"'-~*") == inside[0].text:
        return UNREAD
    unmasked = speller.unmask(chunk.strip("()[]{}\"'.:?,"))
    return unmasked if unmasked.words else speller.respell(chunk)


def _join_pairs(tokens: list[Token], speller: Speller) -> list[Token]:
    """`na ked`: neighbours that only make a word together."""
    joined: list[Token] = []
    index = 0
    while index < len(tokens):
        for count in (3, 2):
            group = tokens[index : index + count]
            if len(group) == count and _belong(group, speller):
                word = "".join(token.text for token in group)
                joined.append(Token(word, group[0].start, group[-1].end, group[0].tag, guessed=True))
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
