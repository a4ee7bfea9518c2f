"""Run filter: which runs are wanted, said in words such as `eval<0.1 state:live preset:best tag:sweep lr3e5`.

Words are separated by spaces outside of double quotes, and all of them must hold. `KEY<VALUE`, and `<=`, `>`, `>=`,
`=`, ask for a figure; `KEY:TEXT` for a text, with `*` for anything; any other word must stand in what a list says of
the run.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

from vlmft_console.runs.facts import NUMBERS, RunFacts
from vlmft_console.runs.quoted_words import quoted_words
from vlmft_console.runs.status import LIVE, LOST, RECORDED, UNREADABLE
from vlmft_console.runs.verdict import CRASHED
from vlmft_core.errors import VlmftError
from vlmft_core.figures import figure
from vlmft_core.health import CAUTION, STOP
from vlmft_core.health.rules import RULES
from vlmft_core.run_folder.events import STATUSES

TEXTS: Final = ("name", "state", "preset", "health", "tag", "note")
"""Keys of texts. Of `name` and `note` a part is enough; `state:live` stands for every live state."""
_PARTS: Final = ("name", "note")
_KNOWN: Final = {
    "state": ("live", *sorted({*LIVE, *STATUSES, CRASHED, LOST, RECORDED, UNREADABLE}), "sample"),
    "health": ("ok", CAUTION, STOP, *(rule.name for rule in RULES)),
}
"""Every state and health there is; another one is a mistake."""
_TERM: Final = re.compile(r"([A-Za-z_]+)(<=|>=|<|>|=|:)(.*)", re.DOTALL)
_NO_TERM: Final = re.compile(rf"[<>=≤≥≠]|^[-!](?:{'|'.join((*NUMBERS, *TEXTS))}):", re.IGNORECASE)
"""What a word has in it that was meant as a term, such as `!state:live` or the `<` of `eval < 0.1`."""
_COMPARED: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_HOURS: Final = {"min": 1 / 60, "h": 1.0, "d": 24.0}
"""Units of an age; hours where none is given."""

Condition = Callable[[RunFacts], bool]


def parse_filter(text: str) -> Condition:
    """What says of a run whether it is wanted; no words, every one.

    Raises:
        VlmftError: a word has no such key, no value that fits it, or signs that ask for nothing; a quote stands alone.
    """
    conditions = [_condition(word) for word in quoted_words(text)]
    return lambda run: all(condition(run) for condition in conditions)


def _condition(word: str) -> Condition:
    term = _TERM.fullmatch(word)
    if term is None and _NO_TERM.search(word):
        raise VlmftError(f"{word}: no such filter", "write eval<0.1 or state:live without spaces; there is no not")
    if term is None:
        return lambda run: word.casefold() in _described(run)
    key, sign, value = term[1].casefold(), term[2], term[3]
    if key in NUMBERS and sign in _COMPARED:
        return _figure(word, key, sign, value)
    if key in TEXTS and sign in (":", "="):
        return _text(word, key, value)
    if key in NUMBERS:
        raise VlmftError(f"{word}: {key} is a figure", f"write {key}<VALUE, or one of {' '.join(_COMPARED)}")
    if key in TEXTS:
        raise VlmftError(f"{word}: {key} is a text", f"write {key}:TEXT")
    raise VlmftError(f"{word}: a run has no {key}", f"figures are {', '.join(NUMBERS)}; texts {', '.join(TEXTS)}")


def _figure(word: str, key: str, sign: str, value: str) -> Condition:
    factor = 1.0
    number = value
    if key == "age":
        unit = next((unit for unit in _HOURS if value.endswith(unit)), "")
        number, factor = value.removesuffix(unit), _HOURS.get(unit, 1.0)
    if key == "done":
        number = value.removesuffix("%")
    try:
        limit = float(number) * factor
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise VlmftError(f"{word}: {value!r} is no number", f"such as {_EXAMPLES[key]}")
    compared = _COMPARED[sign]
    written_alike = sign == "=" and key in ("train", "eval", "best")  # lists show four digits of a loss

    def holds(run: RunFacts) -> bool:
        known = run.numbers[key]
        return known is not None and (compared(known, limit) or (written_alike and figure(known) == figure(limit)))

    return holds


_EXAMPLES: Final = {
    "step": "step>=1000",
    "done": "done<50%",
    "train": "train<0.5",
    "eval": "eval<0.1",
    "best": "best<0.1",
    "age": "age<3h, age>2d or age<30min",
}


def _text(word: str, key: str, value: str) -> Condition:
    if not value:
        raise VlmftError(f"{word}: a text is missing", f"such as {key}:{'live' if key == 'state' else 'best'}")
    pattern = f"*{value.casefold()}*" if key in _PARTS else value.casefold()
    known = _KNOWN.get(key, ())
    if known and " " not in value and not any(fnmatchcase(one, pattern) for one in known):
        raise VlmftError(f"{word}: no run has that {key}", f"{key} is one of {', '.join(known)}")
    return lambda run: any(fnmatchcase(text.casefold(), pattern) for text in run.texts(key))


def _described(run: RunFacts) -> str:
    """What a word without a key is looked for in."""
    texts = (text for key in TEXTS for text in run.texts(key))
    told = " ".join(texts)
    return f"{told} {told.replace('_', ' ')}".casefold()
