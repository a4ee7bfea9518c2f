"""Line entry: what one line of a log says of a training, or that it says nothing.

A line counts when it tells a loss together with a step, an epoch or other figures. Prose, source code, command lines
and configuration have names and numbers, too, and count for nothing.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, field
from typing import Final

from vlmft_console.history.importers.entries.metric_names import EPOCH, EVAL_LOSS, LOSS, STEP, known
from vlmft_console.history.importers.entries.parsing import number, whole
from vlmft_console.history.importers.printed.line_pairs import BATCH, Pair, pairs
from vlmft_console.history.importers.printed.line_place import Place, find_place

_CODE = re.compile(
    r"^\s*(?:(?:def|class|import|from|return|if|elif|else|for|while|with|assert|raise|try|export|python3?|torchrun"
    r"|deepspeed|accelerate|usage)\b|print\(|self\.|logger\.|parser\.|args\.|#|//|\$ |>>>|\+\+\+|\+ "
    r"|[-*] \w+:(?!.*[:=]|\D*\d[^a-z]*[a-z].*\d))"
    r"|^\s*\w+ = [\[({]|\bfor \w+ in\b|= ?[\d.]+ [-+*/] (?:[\d.(]|\w+(?: [-+*/] |[;)]|$))"
    r"|[A-Za-z_]\w*\((?:[^()=]{0,200},\s*)?\w+=|\w\s*==\s*[\w'\"]|[+*/-]=|(?<![\w-])--[a-z]|\{\w+:?[.\d]*\w?\}"
)
_PROSE = re.compile(
    r"\b(?:the|is|was|are|were|been|be|and(?! \d)|but|my|your|our|we|you|(?<!/)it(?![/:=]| ?\d)|its|this|that|these"
    r"|those|when|then|than|because|so|should|would|could|can|will|very|too|just|here|there|does|did|do|not)\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\bbest\b|\bsav(?:e|ed|es|ing)\b|\bcheckpoints?\b|\bresum(?:e|ed|ing)\b|\bimproved?\b|\bearly.?stop|\bstopp(?:ed|ing)\b"
    r"|\bload(?:ed|ing)?\b|\baveraged stats\b|\bfinal\b|\bfinished\b|\btarget[ _](?:loss|val|eval|step|epoch)",
    re.IGNORECASE,
)
"""Words of lines that tell another moment's figures again."""
_TF_EVAL: Final = "Saving dict for global step"
_MARK = re.compile(
    r"(?<![\w.-])(?:(val|valid|validat(?:e|ion|ing)|eval|evaluat(?:e|ion|ing)|dev|test|testing|cv)|train|training)(?![\w-]|\.\w)",
    re.IGNORECASE,
)
"""A word that says what the figures after it were measured on."""
_WORD = re.compile(r"[A-Za-z]{2,}")
_PERPLEXITY = re.compile(
    r"(?:(eval|val|valid|validation|test|dev)[ _/.-]?|(train|training)[ _/.-]?)?(?:ppl|perplexity)", re.IGNORECASE
)
_BITS = re.compile(r"(?:eval|val|valid|validation)[ _/.]?bpb", re.IGNORECASE)
"""nanochat's measure, bits per byte: a loss on a scale of its own."""
_HELD_OUT: Final = ("eval", "val", "test", "dev")
_SCORE = re.compile(
    r"(?:.*[^a-z])?(?:eval|val|valid|validation|test|dev)[ _/.-](?:acc(?:uracy)?|ppl|perplexity|f1|auc|score)(?:@?\d)?",
    re.IGNORECASE,
)
"""A score of held-out data."""
_SAID: Final = ("train", *_HELD_OUT)
"""How names begin that say themselves what was measured on."""
_GLOBAL: Final = ("global", "update")
"""Parts of the names of steps that go on over the epochs."""


@dataclass
class Entry:
    """One line's figures."""

    place: Place
    values: dict[str, str] = field(default_factory=dict)
    """By the names the line has, and `eval_…` where only the words before them say so; no step and no epoch."""
    losses: list[str] = field(default_factory=list)
    """Names among them that are train losses."""
    evals: list[str] = field(default_factory=list)
    """Names among them that are eval losses."""
    on_eval: bool | None = None
    """What the words of the line say that it was measured on; None where they say nothing."""
    only: bool = False
    """Whether the line is as good as nothing but this."""
    perplexities: tuple[str, ...] = ()
    """The names of perplexities, where a line without a loss tells some: of the training's and of an eval's."""
    derived: bool = False
    """Whether its loss was taken from that."""

    @property
    def placed(self) -> bool:
        return self.place.step is not None or self.place.epoch is not None

    def without_derived(self) -> None:
        """Give up the loss that was taken from a perplexity: the log tells one itself."""
        for name in (*self.losses, *self.evals):
            del self.values[name]
        self.losses, self.evals, self.derived = [], [], False


def entry_of(line: str) -> Entry | None:
    """The entry of a line that was cleaned; None where it says nothing of a training."""
    if _CODE.search(line):
        return None
    place, rest = find_place(line)
    found = list(pairs(rest))
    marks = [(mark.start(), (mark[1] or "").lower()) for mark in _MARK.finditer(rest)]
    entry = Entry(place)
    told_by_estimator = _TF_EVAL in line
    before = ""
    for pair in found:
        kind = pair.known.quantity if pair.known else None
        if kind in (STEP, EPOCH):
            continue
        _add(entry, pair, kind, "eval" if told_by_estimator else _section(marks, found, pair.start) or "", before)
        before = pair.name
    section = _section(marks, found, len(rest))
    entry.on_eval = None if section is None else bool(section)
    _set_place(place, found)
    if (entry.losses or entry.evals) and _tells_otherwise(rest, found):
        return None
    if not entry.losses and not entry.evals:
        entry.perplexities = _perplexities(entry)
    entry.only = sum(pair.end - pair.start for pair in found) * 2 > len(rest.strip())
    return entry


def _section(marks: list[tuple[int, str]], found: list[Pair], at: int) -> str | None:
    """The last word before a place that tells an eval, "" for one that tells the training, None where there is none.

    Words in the names of other figures do not count.
    """
    section: str | None = None
    for start, word in marks:
        if start < at and not any(_own(pair) <= start < pair.end for pair in found):
            section = word
    return section


def _own(pair: Pair) -> int:
    """Where a figure's own name begins: `validation loss at` before `step 10` says what the whole line is about."""
    last = known(pair.name.rpartition(" ")[2])
    if pair.known is None and last and last.quantity in (STEP, EPOCH):
        return pair.end  # `Eval Step: 10 Loss: 2.5`
    is_place = pair.known.quantity in (STEP, EPOCH) if pair.known else pair.name.lower() in BATCH
    return pair.start + (len(pair.lead) if is_place else 0)


def _add(entry: Entry, pair: Pair, kind: str | None, section: str, before: str) -> None:
    """Take a pair of a section of the line.

    Args:
        before: the name of the pair before it.
    """
    name, value = pair.name, pair.number
    lower = name.lower()
    if lower in ("val", "valid") and any(each.lower() == "loss train" for each in entry.losses):
        name, kind = f"{name} loss", EVAL_LOSS  # litgpt: `loss train: 1.25, val: 1.5`
    elif _BITS.fullmatch(lower):
        name, kind = f"{name}_loss", EVAL_LOSS
    elif lower == "norm":
        name = "grad_norm"
    elif section and kind in (LOSS, None) and not lower.startswith(_SAID):
        area = "test" if section.startswith("test") else "eval"
        name, kind = (f"{area}_loss", EVAL_LOSS) if kind == LOSS else (f"{area}_{name}", None)
        value = pair.mean or value
    if kind == LOSS and [each.lower() for each in entry.losses] == [lower] and _SCORE.fullmatch(before):
        name, kind = "eval_loss", EVAL_LOSS  # `Train Acc: 0.5 Loss: 2.5 | Val Acc: 0.5 Loss: 2.5`
    if name in entry.values:
        return
    entry.values[name] = value
    if kind == LOSS:
        entry.losses.append(name)
    elif kind == EVAL_LOSS:
        entry.evals.append(name)


def _set_place(place: Place, found: list[Pair]) -> None:
    """Complete the place from `step: 10` and the like; a step that goes on over the epochs counts most."""
    best: tuple[int, int] | None = None
    for pair in found:
        kind = pair.known.quantity if pair.known else None
        with contextlib.suppress(ValueError):
            if kind == EPOCH and place.epoch is None:
                place.epoch = number(pair.number)
            elif (
                (worth := _worth(pair, kind))
                and (best is None or worth > best[0])
                and (step := whole(pair.number)) is not None
            ):
                best = worth, step
    if place.epoch is not None and not math.isfinite(place.epoch):
        place.epoch = None
    if best is None:
        return
    worth, step = best
    if worth == 3 or place.step is None or (worth == 2 and place.in_epoch and not place.bar):
        place.step, place.in_epoch = step, worth == 1
        place.total = None


def _worth(pair: Pair, kind: str | None) -> int:
    """How sure a figure tells the step: 3 of the whole training, 2 a step, 1 one of the epoch's, 0 none."""
    if kind == STEP:
        if pair.lead.lower().endswith("epoch"):  # `Epoch Step: 41`
            return 1
        return 3 if any(part in pair.name.lower() for part in _GLOBAL) else 2
    return int(pair.name.lower() in BATCH)


def _tells_otherwise(rest: str, found: list[Pair]) -> bool:
    """Whether a line with a loss is prose, or tells again what was told when it happened."""
    if _TF_EVAL in rest:
        return False
    gaps, at = [], 0
    for pair in found:
        gaps.append(rest[at : pair.start])
        if pair.lead:
            gaps.append(pair.lead)
        elif pair.known is None:
            gaps.append(f"{pair.name} {pair.number}")
        at = pair.end
    outside = " | ".join([*gaps, rest[at:]])
    if _PROSE.search(outside):
        return True
    first = next((pair for pair in found if pair.known and pair.known.quantity in (LOSS, EVAL_LOSS)), found[-1])
    before = rest[: first.start] + first.lead
    if _ELSEWHERE.search(before):
        return True
    between = " ".join(gaps[1:]) + rest[at:]
    return len(_WORD.findall(between)) > 6 + 3 * len(found)


def _perplexities(entry: Entry) -> tuple[str, ...]:
    """The names of what is told as a perplexity alone: exp(loss). Of the training it is one only where it says so."""
    names: dict[str, str] = {}
    for name in entry.values:
        found = _PERPLEXITY.fullmatch(name.removeprefix("eval_"))
        if found and (
            found[1] or found[2] or name.startswith("eval_") or entry.on_eval is not None or entry.place.in_epoch
        ):
            names.setdefault(perplexity_loss(name, entry.on_eval), name)
    return tuple(names.values())


def perplexity_loss(name: str, on_eval: bool | None) -> str:
    """The loss whose exponential a perplexity of this name is."""
    found = _PERPLEXITY.fullmatch(name.removeprefix("eval_"))
    return EVAL_LOSS if found and not found[2] and (found[1] or name.startswith("eval_") or on_eval) else "train_loss"
