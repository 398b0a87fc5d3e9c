"""How many characters a regular expression looks at, counted and not timed.

A backtracking matcher in Python, over the tree that `re` itself parses, tries what the one written in C tries, in the
same order. That shows a pattern whose work grows with the square of the text, which no clock shows reliably.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_compiler: Any = import_module("re._compiler")
_codes: Any = import_module("re._constants")

_ONE_CHARACTER = (_codes.LITERAL, _codes.NOT_LITERAL, _codes.ANY, _codes.IN)
_REPEATS = (_codes.MAX_REPEAT, _codes.MIN_REPEAT, _codes.POSSESSIVE_REPEAT)
_LOOKS = (_codes.ASSERT, _codes.ASSERT_NOT)

Node = tuple[Any, Any]
# Where a match of a part can end, in the order in which the ends are tried.
Ends = Callable[[int], Iterator[int]]


class _Matcher:
    """One pattern on one text."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._text, self._pattern, self._flags = text, pattern.pattern, pattern.flags
        self._tree = _parser.parse(pattern.pattern, pattern.flags)
        self._whole = self._sequence(list(self._tree))
        self.steps = 0

    def count_all(self) -> int:
        """The steps of finding every match, one behind the other."""
        start = 0
        while start <= len(self._text):
            end = next(self._whole(start), start)
            start = max(end, start + 1)
        return self.steps

    def _sequence(self, nodes: Sequence[Node]) -> Ends:
        parts = [self._part(node) for node in nodes]

        def ends(at: int, number: int = 0) -> Iterator[int]:
            if number == len(parts):
                yield at
                return
            for after in parts[number](at):
                yield from ends(after, number + 1)

        return ends

    def _part(self, node: Node) -> Ends:
        code, argument = node
        if code in _ONE_CHARACTER or code is _codes.AT or (code in _LOOKS and argument[0] < 0):
            return self._by_re(node)
        if code in _REPEATS:
            return self._repeat(code, *argument)
        if code in _LOOKS:
            inner = self._sequence(list(argument[1]))
            found = code is _codes.ASSERT
            return lambda at: iter([at] if (next(inner(at), None) is not None) is found else [])
        if code is _codes.BRANCH:
            branches = [self._sequence(list(branch)) for branch in argument[1]]
            return lambda at: (end for branch in branches for end in branch(at))
        if code is _codes.SUBPATTERN and not argument[1] and not argument[2]:
            return self._sequence(list(argument[3]))
        if code is _codes.ATOMIC_GROUP:
            return _first(self._sequence(list(argument)))
        raise ValueError(
            f"The steps of {code} in {self._pattern!r} are not counted: teach _Matcher, or say it otherwise."
        )

    def _by_re(self, node: Node) -> Ends:
        """One character, an anchor or a look behind, of a fixed length all of them: one step, decided by `re`."""
        compiled = _compiler.compile(_parser.SubPattern(self._tree.state, [node]), self._flags)

        def ends(at: int) -> Iterator[int]:
            self.steps += 1
            match = compiled.match(self._text, at)
            if match is not None:
                yield match.end()

        return ends

    def _repeat(self, code: Any, least: int, most: int, nodes: Any) -> Ends:
        body = self._sequence(list(nodes))
        if code is _codes.MIN_REPEAT:
            return lambda at: self._lazy(body, at, least, most)
        single = len(nodes) == 1 and nodes[0][0] in _ONE_CHARACTER
        greedy: Ends = (
            (lambda at: self._run(body, at, least, most)) if single else lambda at: self._greedy(body, at, least, most)
        )
        return _first(greedy) if code is _codes.POSSESSIVE_REPEAT else greedy

    def _run(self, body: Ends, at: int, least: int, most: int) -> Iterator[int]:
        """As many single characters as there are, then one fewer each time; without a stack as deep as the text."""
        end = at
        while end - at < most and next(body(end), None) is not None:
            end += 1
        yield from range(end, at + least - 1, -1)

    def _greedy(self, body: Ends, at: int, least: int, most: int) -> Iterator[int]:
        if most:
            for after in body(at):
                if after > at or least:
                    yield from self._greedy(body, after, max(least - 1, 0), most - 1)
        if not least:
            yield at

    def _lazy(self, body: Ends, at: int, least: int, most: int) -> Iterator[int]:
        if not least:
            yield at
        if most:
            for after in body(at):
                if after > at or least:
                    yield from self._lazy(body, after, max(least - 1, 0), most - 1)


def _first(ends: Ends) -> Ends:
    """What is matched once and never given back."""
    return lambda at: iter([end] if (end := next(ends(at), None)) is not None else [])


def pattern_steps(pattern: re.Pattern[str], text: str) -> int:
    """The characters and anchors that finding all matches of `pattern` in `text` tries, each try counted.

    Raises ValueError for what no pattern here uses (references to groups, flags for a part).
    """
    return _Matcher(pattern, text).count_all()
