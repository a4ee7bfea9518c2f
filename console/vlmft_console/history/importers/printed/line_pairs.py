"""Line pairs: the `name: number`, `name=number` and `name number` of one line of a log.

Lines of prose, source code, configuration and command lines hold such pairs, too. What tells them is kept beside the
pairs, for the reader to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.metric_names import EPOCH, EVAL_LOSS, LOSS, STEP, Known, known, stands_for

_PAIRS: Final = 200
"""Pairs of a line that are looked at."""

# No group is possessive: before Python 3.11.5 such a group gives up too early.
_PAIR = re.compile(
    r"""
    (?<![\w.$\\])
    ['"]?
    (?P<name>[A-Za-z_][\w/.@#%+-]*+(?:\([^()\s]{1,24}+\))?
        (?:[ ](?!(?:nan|inf)\b(?![ ](?:iterations|steps|gradients|values|batches)\b))
            (?:[A-Za-z_]|\((?=[A-Za-z]))[\w/.@#%()+-]*+){0,6})
    ['"]?
    (?P<sign>\s*+[:=]\s*+|\s++)
    [\[('"]{0,3}+
    (?P<number>[-+]?(?:\d{1,3}(?:,\d{3})++(?!\d)(?:\.\d++)?|\d++\.\d*+|\d++(?!,\d)|\.\d++)(?:[eE][-+]?\d++)?|[-+]?(?:nan|inf(?:inity)?)(?!\w))
    (?P<unit>\s?%|[A-Za-zµ]{1,8}+(?:/[A-Za-z]{1,8}+)?)?
    (?![\w]|[:./-]\d+(?![\d.])|[:.-]\d|\s*/\s*\d+(?![\d.]))
    (?:\s*\(\s*(?P<mean>[-+\d.eE]{1,24}|nan|inf)\s*\))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LEADING: Final = frozenset(
    (
        "average",
        "avg",
        "avg.",
        "mean",
        "local",
        "global",
        "reduced",
        "overall",
        "running",
        "current",
        "cur",
        "smoothed",
        "this",
        "batch",
        "total",
        "info",
    )
)
"""Words before a loss's name that leave it the loss it is."""
_UNIT = re.compile(r"\w+/(?:s|sec|it|step|min)|m?s|secs?|seconds|[KMGT]i?B|h", re.IGNORECASE)
"""What belongs to the number before; `min` may as well be the least."""
_TRAILING: Final = frozenset(("value", "avg", "mean", "(avg)", "(mean)", "is"))
_FILLERS: Final = frozenset(("set", "dataset", "split"))
"""Words that change nothing, as in `test set loss`."""
_NO_PLACE: Final = frozenset(
    (
        *("per", "num", "number", "total", "max", "min", "warmup", "of", "save", "saved", "every", "remaining"),
        *("last", "best", "until", "next", "to", "from", "each", "logging", "log", "wait", "patience", "stop", "in"),
        *("resume", "resuming", "time", "seconds", "sec", "accumulation", "accum"),
    )
)
"""Words before `step` or `epoch` with which the number is another one than where the training stands."""
BATCH: Final = frozenset(("batch", "batch_idx", "minibatch", "it", "itr"))
"""Words for a step of an epoch."""
_SECTIONS: Final = frozenset(("train", "training", "eval", "val", "valid", "validation", "test", "dev"))
_NO_METRIC: Final = frozenset(("eta", "pid", "port", "cuda", "gpu", "device", "line", "v_num", "rank", "local_rank"))


class Pair(NamedTuple):
    """A name and its number, and where they stand in the line."""

    name: str
    """As the log has it; of a loss, a step and an epoch without the words before it."""
    number: str
    known: Known | None
    start: int
    """Where the name begins, with the words that were left out."""
    lead: str
    """The words that were left out."""
    end: int
    mean: str
    """The number in parentheses after it, as `Loss 6.9 (7.0)` tells the running mean; "" where there is none."""


def pairs(line: str) -> Iterator[Pair]:
    """The pairs of a line that was cleaned. Clocks, dates, versions and positions such as `3/10` are none."""
    for count, found in enumerate(_PAIR.finditer(line)):
        if count == _PAIRS:
            return
        name, lead, kind = _resolved(found["name"].strip())
        last = name.rpartition(" ")[2].lower()
        if last in _NO_METRIC or last.endswith(".py") or (kind and found["unit"]):
            continue
        start = found.start("name")
        yield Pair(name, found["number"].replace(",", ""), kind, start, lead, found.end(), found["mean"] or "")


def _resolved(name: str) -> tuple[str, str, Known | None]:
    """The name, what was left out before it, and what it stands for."""
    before = ""
    if name.count("(") > name.count(")"):  # llama-recipes: `step 10/388 completed (loss: 2.5)`
        before, _, name = name.rpartition("(")
    if kind := known(name):
        return name, before, kind
    words = [word for word in name.split(" ") if word.lower() not in _FILLERS]
    while len(words) > 1 and words[-1].lower() in _TRAILING:
        del words[-1]
    for first in range(len(words)):
        rest = " ".join(words[first:])
        kind = known(rest)
        if kind and kind.quantity in (STEP, EPOCH):
            lead = [word.lower().rstrip(":") for word in words[:first]]
            if _NO_PLACE.isdisjoint(lead) and lead != ["eval"]:
                return rest, " ".join(words[:first]), kind
            break
        if kind and (kind.quantity in (LOSS, EVAL_LOSS) or first == 0):
            return rest, " ".join(words[:first]), kind
        if words[first].lower() not in _LEADING and not _UNIT.fullmatch(words[first]) and not _ends_in_place(words):
            break
    if len(words) == 2 and words[1].lower() in BATCH and words[0].lower() in _SECTIONS:
        return words[1], words[0], None
    return name, "", None


def _ends_in_place(words: list[str]) -> bool:
    return stands_for(words[-1], STEP, EPOCH)
