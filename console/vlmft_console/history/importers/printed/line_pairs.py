"""Line pairs: the `name: number`, `name=number` and `name number` of one line of a log.

Lines of prose, source code, configuration and command lines hold such pairs, too. What tells them is kept beside the
pairs, for the reader to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.languages import in_english
from vlmft_console.history.importers.entries.metric_names import EPOCH, EVAL_LOSS, LOSS, STEP, Known, known

LONGEST: Final = 4000
"""Characters of a line that are looked at."""
_PAIRS: Final = 200
"""Pairs of a line that are looked at."""

_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f]")
"""Terminal sequences and control characters."""
_STAMP = re.compile(
    r"^\s*[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)[\])]?:?(?:\s+(?:[|-]\s+)?)(?=\S)"
)
"""When a line was written, at its beginning."""
_WRAPPED = re.compile(
    r"(?:tensor|(?:np|numpy|jnp|torch)\.\w+|(?:Device)?Array)\(\[?([^,()\]\s]{1,40}),?[^()\n]{0,80}\)"
)
"""A number as a library's type prints itself: `tensor(2.5, device='cuda:0')`, `np.float64(2.5)`."""
_WRAPPERS: Final = ("tensor(", "np.", "numpy.", "torch.", "Array(")
_DIALECTS: Final = (
    (re.compile(r"^s:(\d+) trl:"), r"step:\1 train_loss:"),
    (re.compile(r"^s:(\d+) tel:"), r"step:\1 val_loss:"),
    (re.compile(r"^(\d+):? (train|val) (?=[\d.]+$)"), r"step:\1 \2_loss:"),
    (re.compile(r"^ ?(\d+): (\S+), \S+ avg loss, (\S+) rate,"), r"step:\1 loss:\2 lr:\3 ,"),
    (
        re.compile(r"^([1-9]\d*): (?=(?:train(?:ing)? )?loss\b)(?!.*\b(?:step|iter|epoch)\b)", re.IGNORECASE),
        r"step:\1 ",
    ),
)
"""Names too short to be known everywhere, of llm.c's and nanoGPT's own logs; Darknet's order; and `10: loss 2.5`."""
_BOOSTED = re.compile(r"^\[(\d+)\]\s+(?=[\w.]+(?:-\w+:|'s \w+: )[\d.])")
"""A round of XGBoost: `[10]\ttrain-rmse:0.35\teval-rmse:0.41`; of LightGBM: `[10]\ttraining's l2: 0.35`."""
_BOOSTED_LOSS = re.compile(
    r"\bd?(?:(train(?:ing)?|validation_0(?=.*validation_1-))|(?:eval|valid|validation|val|test)(?:_\d)?)(?:-|'s )"
    r"(?:rmse|rmsle|mae|mape|l1|l2|\w*logloss|\w?error|cross_entropy|quantile):\s?([\d.eE+-]{1,24})"
)
_LOSS_AT = re.compile(
    r"\b((?:[A-Za-z]+[ _-]){0,2}loss) (?:at|after|@) (step|iteration|iter|epoch) (\d+)\s*[:=]\s*(?=[-+.\d])([^\s,;]+)",
    re.IGNORECASE,
)
"""`dev loss at step 10: 2.5`."""
_THOUSANDS = re.compile(r"\b((?:global_)?step|iter(?:ation)?)([ :=]+)(\d{1,6}(?:\.\d{1,6})?)k\b", re.IGNORECASE)
"""`step 1.5k`, where the line has no other place."""
_PLACES = re.compile(r"\b(?:\w+_)?(?:steps?|iter(?:s|ation|ations)?)[ :=]+\d", re.IGNORECASE)
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
_TRAILING: Final = frozenset(("value", "avg", "mean", "(avg)", "(mean)", "is"))
_FILLERS: Final = frozenset(("set", "dataset", "split"))
"""Words that change nothing, as in `test set loss`."""
_NO_PLACE: Final = frozenset(
    (
        *("per", "num", "number", "total", "max", "min", "warmup", "of", "save", "saved", "every", "remaining"),
        *("last", "best", "until", "next", "to", "from", "each", "logging", "log", "wait", "patience", "stop", "in"),
        *("resume", "resuming", "time", "seconds", "sec"),
    )
)
"""Words before `step` or `epoch` with which the number is another one than where the training stands."""
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


def clean(line: str) -> str:
    """A line without colours and control characters, and numbers without their types."""
    text = line[:LONGEST]
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    text = _STAMP.sub("", in_english(text), count=1)
    if text[:2] == "s:" or text[:2].lstrip()[:1].isdigit():
        for pattern, spelled in _DIALECTS:
            text = pattern.sub(spelled, text)
    if text[:1] == "[" and _BOOSTED.match(text):
        text = _BOOSTED_LOSS.sub(_with_loss, _BOOSTED.sub(r"step:\1 ", text))
    if "oss a" in text or "oss @" in text or "OSS A" in text:
        text = _LOSS_AT.sub(r"\2 \3 \1: \4", text)
    if ("k " in text or "k," in text) and len(_PLACES.findall(text)) == 1:
        text = _THOUSANDS.sub(lambda found: f"{found[1]}{found[2]}{round(float(found[3]) * 1000)}", text)
    if text[:4] == "Ep. ":  # Marian calls its loss a cost
        text = text.replace(" : Cost ", " : train_cost ")
    if "... (" in text:  # Flax: `Step... (10 | Loss: 2.5`
        text = text.replace("... (", " (")
    return _WRAPPED.sub(r"\1", text) if any(kind in text for kind in _WRAPPERS) else text


def _with_loss(found: re.Match[str]) -> str:
    """A figure that gradient boosting lowers, and once more as the loss that it is."""
    return f"{found[0]} {'train' if found[1] else 'eval'}_loss:{found[2]}"


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
    if name.count("(") > name.count(")"):
        name = name.rpartition("(")[2]  # llama-recipes: `step 10/388 completed (loss: 2.5)`
    if kind := known(name):
        return name, "", kind
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
        if words[first].lower() not in _LEADING and not _ends_in_place(words):
            break
    return name, "", None


def _ends_in_place(words: list[str]) -> bool:
    kind = known(words[-1])
    return kind is not None and kind.quantity in (STEP, EPOCH)
