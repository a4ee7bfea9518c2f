"""JSON history: a training's figures in one JSON document: a list of entries, or a list of values for each name.

{"loss": [2.5, 2.25], "val_loss": [2.125, 2.0]}             Keras
[{"epoch": 0, "train": {"loss": 2.5}}, {"epoch": 1, …}]
{"args": {…}, "history": […]}                               either of them somewhere inside
{"0": {"loss": 2.5}, "1": {"loss": 2.25}}
{"loss": {"0": 2.5, "1": 2.25}}                             pandas, and {"columns": ["loss"], "data": [[2.5], [2.25]]}
{"metrics": [{"key": "loss", "value": 2.5, "step": 10}]}    MLflow
{"loss": {"train": {"x": [10, 20], "y": [2.5, 2.25]}}}      ClearML; with steps and values, Sacred
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from vlmft_console.history.importers.entries.long_entries import fields_of, pivoted
from vlmft_console.history.importers.entries.metric_names import (
    EPOCH,
    EVAL_LOSS,
    LOSS,
    STEP,
    held_out,
    known,
    tells_training,
)
from vlmft_console.history.importers.printed.jsonl import flat

_DEPTH: Final = 4
_LOOKED_AT: Final = 50
"""Entries of a list among which one of a training is looked for."""
_INSIDE: Final = 1000
"""Parts of a document that are looked into."""
_CURVES: Final = (("x", "y"), ("steps", "values"), ("step", "value"), ("iterations", "values"))
"""What the places and the values of a curve are called."""
_NUMBERED = re.compile(r"(?:(epoch|step|iter|iteration)[ _-]?)?(\d{1,15})", re.IGNORECASE)


def entries_of(document: Any) -> list[Any] | None:
    """The entries of a document with a training in it, in order; None where it holds none."""
    for part in islice(_parts(document), _INSIDE):
        if isinstance(part, list):
            entries: list[Any] = [flat(entry) for entry in part if isinstance(entry, dict)]
            if entries and fields_of(entries[0]):
                entries = _by_place(entries)
            if any(tells_training(entry) for entry in entries[:_LOOKED_AT] if entry is not None):
                return entries
        elif found := _by_part(part) or _curves(part) or _columns(_by_column(part)) or _numbered(part):
            return found
    return None


def _parts(document: Any) -> Iterator[Any]:
    """The document and what is in it, the outer parts first."""
    level = [document]
    for _ in range(_DEPTH):
        deeper: list[Any] = []
        for part in level:
            yield part
            inner = part.values() if isinstance(part, dict) else ()
            deeper += [each for each in inner if isinstance(each, dict | list)]
        level = deeper


def _columns(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries from a list of values for each name. Lists shorter than the train loss's are spread over its course."""
    columns = {name: values for name, values in flat(dict(part)).items() if _is_column(values)}
    if not tells_training(columns):
        return []
    train = next((name for name in columns if _quantity(name) == LOSS), None)
    length = len(columns[train]) if train else max(map(len, columns.values()))
    entries: list[dict[str, Any]] = [{} for _ in range(length)]
    for name, values in columns.items():
        if len(values) == length:
            for entry, value in zip(entries, values, strict=True):
                _put(entry, name, value)
        elif len(values) < length and _quantity(name) == EVAL_LOSS:
            for index, value in enumerate(values, 1):
                _put(entries[round(index * length / len(values)) - 1], name, value)
    return entries


def _by_part(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a training and its evals by place, from lists of their own: `{"train": […], "val": […]}`."""
    lists = {name: each for name, each in part.items() if isinstance(each, list) and each and isinstance(each[0], dict)}
    if len(lists) < 2 or not any(held_out("split", name) for name in lists):
        return []
    entries = [
        {"split": name, **flat(entry)} for name, each in lists.items() for entry in each if isinstance(entry, dict)
    ]
    place = next((name for name in entries[0] if _quantity(name) in (STEP, EPOCH)), "")
    if not tells_training(entries[0]) or not all(type(entry.get(place)) in (int, float) for entry in entries):
        return []
    return sorted(entries, key=lambda entry: float(entry[place]))


def _curves(part: Mapping[str, Any]) -> list[Any]:
    """The entries of curves, each with a list of its places and one of its values, in objects by name."""
    points: list[dict[str, Any]] = []
    inside: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), part)]
    for path, inner in inside:  # which grows
        for places, values in _CURVES:
            steps, told = inner.get(places), inner.get(values)
            if path and isinstance(steps, list) and isinstance(told, list) and len(steps) == len(told):
                name = "/".join(dict.fromkeys(path))
                points += [{"name": name, "step": at, "value": value} for at, value in zip(steps, told, strict=True)]
        for name, each in inner.items():
            if isinstance(each, list) and each and all(map(_is_point, each)):
                points += [{"name": "/".join((*path, name)), **point} for point in each]
            elif isinstance(each, dict) and len(path) < _DEPTH:
                inside.append(((*path, name), each))
    names = {point["name"] for point in points}
    return _by_place(points) if tells_training(names) else []


def _is_point(entry: Any) -> bool:
    """Whether an entry is a step and a value alone, as that of a list which its metric's name stands before."""
    return isinstance(entry, dict) and entry.keys() == {"step", "value"}


def _by_place(entries: list[dict[str, Any]]) -> list[Any]:
    """Entries of one metric each, those of a step put together; None for each without a value, which is rejected."""
    told = [entry for entry in entries if not (fields := fields_of(entry)) or entry[fields.value] is not None]
    return [*pivoted(told), *[None] * (len(entries) - len(told))]


def _by_column(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A table as pandas writes it, as a list of values for each name; any other object as it is."""
    names, rows = part.get("columns"), part.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        return {str(name): [row[at] if at < len(row) else None for row in rows] for at, name in enumerate(names)}
    inner = list(part.values())
    if not inner or not all(isinstance(each, dict) and each and all(map(str.isdecimal, each)) for each in inner):
        return part
    numbers = sorted(set().union(*inner), key=int)
    return {name: [column.get(number) for number in numbers] for name, column in part.items()}


def _put(entry: dict[str, Any], name: str, value: Any) -> None:
    """A value, or a pair of a step and a value."""
    if isinstance(value, list) and len(value) == 2:
        entry.setdefault("step", value[0])
        value = value[1]
    entry[name] = value


def _is_column(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(_is_value(value) for value in values[:_LOOKED_AT])


def _is_value(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return len(value) == 2 and all(isinstance(each, int | float) for each in value)
    return value is None or isinstance(value, int | float | str)


def _numbered(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries that are named by their epochs or steps."""
    entries: list[dict[str, Any]] = []
    digits = [int(name) for name in islice(part, 2) if name.isdecimal()]
    bare = EPOCH if len(digits) < 2 or digits[1] - digits[0] == 1 else STEP
    for name, inner in part.items():
        found = _NUMBERED.fullmatch(name)
        if not found or not isinstance(inner, dict):
            return []
        entry = flat(inner)
        place = (found[1] or bare).lower()
        if not any(_quantity(each) in (STEP, EPOCH) for each in entry):
            entry = {place: int(found[2]), **entry}
        entries.append(entry)
    return entries if any(tells_training(entry) for entry in entries[:_LOOKED_AT]) else []


def _quantity(name: str) -> str | None:
    found = known(name)
    return found.quantity if found else None
