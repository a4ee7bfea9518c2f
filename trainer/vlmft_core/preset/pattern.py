"""Patterns: which regular expressions could take for ever.

Python tries every way in which a text can be matched. There are exponentially many on a text that does not match after
all, if some part of a pattern that repeats can take the same characters in two ways, as in `(a+)+` or `(a|ab|ba)*`; not
so in `(a+b)+`. That is decided over the pattern's positions (Glushkov's automaton), whose exponential ambiguity is what
Weber and Seidl, "On the degree of ambiguity of finite automata", 1991, call EDA.
"""

from __future__ import annotations

import re._compiler as compiler  # type: ignore[import-not-found]
import re._constants as ops  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_ONE_CHARACTER = (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN)
_ALPHABET = [*map(chr, range(128)), "\u00e9"]
"""Names of modules are ASCII; one character stands for all others."""
_MOST = 64
"""Positions that a pattern may have to be looked at in full."""

_MANY = 2
"""Ways are counted up to this."""

Pair = tuple[int, int]


def could_take_for_ever(pattern: str) -> bool:
    """Whether the time that a pattern takes on a text that does not match can double with every few characters. One of
    more than 64 characters is said to where it repeats a repetition.

    Raises:
        re.error: it is no regular expression.
    """
    parsed = parser.parse(pattern)
    automaton = _Automaton(parsed.state)
    automaton.sequence(parsed, parsed.state.flags)
    return _repeats_a_repetition(parsed) if automaton.large else automaton.ambiguous()


@dataclass(frozen=True)
class _Part:
    """A part of a pattern: in how many ways it can begin and end with a position, and match nothing."""

    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)
    empty: int = 1


@dataclass
class _Automaton:
    """Which position can follow which, and in how many ways."""

    state: Any
    characters: list[frozenset[str]] = field(default_factory=list)
    """What each position matches."""
    follows: Counter[Pair] = field(default_factory=Counter)
    large: bool = False

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int) -> _Part:
        whole = _Part()
        for op, argument in items:
            whole = self._then(whole, self._part(op, argument, flags))
        return whole

    def _part(self, op: Any, argument: Any, flags: int) -> _Part:
        if op in _ONE_CHARACTER:
            return self._position(op, argument, flags)
        if op in _REPEATS:
            return self._repeated(argument[0], argument[1], argument[2], flags)
        if op is ops.SUBPATTERN:
            _, add, remove, inside = argument
            return self.sequence(inside, (flags | add) & ~remove)
        if op is ops.BRANCH:
            return _either(*(self.sequence(branch, flags) for branch in argument[1]))
        if op is ops.ATOMIC_GROUP:
            return self.sequence(argument, flags)
        if op in (ops.ASSERT, ops.ASSERT_NOT):
            self.sequence(argument[1], flags)  # it is matched by itself, and takes nothing
            return _Part()
        if op is ops.GROUPREF_EXISTS:
            return _either(*(self.sequence(branch or (), flags) for branch in argument[1:]))
        if op is ops.GROUPREF:  # may match anything
            return self._repeated(0, ops.MAXREPEAT, [(ops.ANY, None)], flags)
        return _Part()  # a place: the start, a word's end

    def _position(self, op: Any, argument: Any, flags: int) -> _Part:
        if len(self.characters) == _MOST:
            self.large = True
            return _Part()
        one = compiler.compile(parser.SubPattern(self.state, [(op, argument)]), flags)
        self.characters.append(frozenset(filter(one.fullmatch, _ALPHABET)))
        number = Counter([len(self.characters) - 1])
        return _Part(number, number, 0)

    def _repeated(self, least: int, most: int, items: Any, flags: int) -> _Part:
        if most is ops.MAXREPEAT or most > _MOST:
            body = self.sequence(items, flags)
            self._connect(body.last, body.first)
            return _Part(body.first, body.last, body.empty + (least == 0))
        rest = _Part()
        for number in range(most, 0, -1):  # the last one first: each is tried only after the one before
            body = self._then(self.sequence(items, flags), rest)
            rest = _Part(body.first, body.last, body.empty + (number > least))
        return rest

    def _then(self, one: _Part, other: _Part) -> _Part:
        self._connect(one.last, other.first)
        return _Part(
            _sum((one.first, 1), (other.first, one.empty)),
            _sum((other.last, 1), (one.last, other.empty)),
            min(one.empty * other.empty, _MANY),
        )

    def _connect(self, ends: Counter[int], begins: Counter[int]) -> None:
        for end, ways in ends.items():
            self.follows.update({(end, begin): ways * more for begin, more in begins.items()})

    def ambiguous(self) -> bool:
        """Whether some position can come back to itself over the same characters in two ways."""
        after: dict[int, set[int]] = {position: set() for position in range(len(self.characters))}
        for one, other in self.follows:
            after[one].add(other)
        if any(ways > 1 and one in _reached(other, after) for (one, other), ways in self.follows.items()):
            return True
        pairs = {(one, one) for one in after}
        steps: dict[Pair, set[Pair]] = {}
        while pairs:
            pair = pairs.pop()
            steps[pair] = {
                (min(one, other), max(one, other))
                for one in after[pair[0]]
                for other in after[pair[1]]
                if self.characters[one] & self.characters[other]
            }
            pairs |= steps[pair] - steps.keys()
        apart = [pair for pair in steps if pair[0] != pair[1]]
        returns = {(one, one): _reached((one, one), steps) for one in after}
        return any((one, one) in _reached(pair, steps) and pair in returns[one, one] for pair in apart for one in after)


def _either(*parts: _Part) -> _Part:
    return _Part(
        _sum(*((part.first, 1) for part in parts)),
        _sum(*((part.last, 1) for part in parts)),
        min(sum(part.empty for part in parts), _MANY),
    )


def _sum(*parts: tuple[Counter[int], int]) -> Counter[int]:
    """Positions with their ways, each times a factor."""
    total = Counter[int]()
    for ways, factor in parts:
        total.update({position: more * factor for position, more in ways.items()})
    return Counter({position: min(ways, _MANY) for position, ways in total.items() if ways})


def _reached(start: Any, steps: dict[Any, set[Any]]) -> set[Any]:
    """What can be reached from `start`, itself included."""
    found, queue = {start}, [start]
    while queue:
        new = steps[queue.pop()] - found
        found |= new
        queue += new
    return found


def _repeats_a_repetition(part: Any, *, inside: bool = False) -> bool:
    """Whether there is an endless repetition within another; `inside`: whether the part is within one."""
    part = getattr(part, "data", part)
    if isinstance(part, tuple) and len(part) == 2 and part[0] in _REPEATS:
        _, most, body = part[1]
        endless = most is ops.MAXREPEAT
        return (endless and inside) or _repeats_a_repetition(body, inside=inside or endless)
    if isinstance(part, list | tuple):
        return any(_repeats_a_repetition(one, inside=inside) for one in part)
    return False
