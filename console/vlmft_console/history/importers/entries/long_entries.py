"""Long entries: logs with one metric an entry, its name and its value in fields of their own.

{"name": "train/loss", "value": 2.5, "step": 10}        and as tables: name,value,step
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from vlmft_console.history.importers.entries.metric_names import (
    EPOCH,
    STEP,
    held_out,
    names_part,
    spelled_out,
    stands_for,
    tells_training,
)
from vlmft_console.history.importers.entries.parsing import is_measured, number

_NAMES: Final = frozenset(("name", "key", "metric", "metric_name", "tag", "title"))
_MORE: Final = "series"
"""ClearML's second half of a name."""
_VALUES: Final = frozenset(("value", "metric_value", "scalar_value"))
_NO_FIGURE = re.compile(r"(?:.*_)?(?:time\w*|date|id|index|rank|run|is_nan|total_steps|max_steps)")
"""What may stand beside them as a number, and is no metric."""
_HELD: Final = 100_000
"""Entries that are kept, to see whether they are sorted by metric."""


class Fields(NamedTuple):
    """The fields of an entry of this kind."""

    names: tuple[str, ...]
    """Of what the metric is called, and of the part of the data it was measured on."""
    parts: tuple[str, ...]
    value: str
    others: tuple[str, ...]
    """Of what else there is; a number there is a figure, and the entry one of several metrics."""

    def name_in(self, values: Mapping[str, Any]) -> str:
        """What an entry's metric is called."""
        # ClearML calls a metric after itself where its program named no half: loss/loss.
        name = "/".join(dict.fromkeys(str(values[field]) for field in self.names if values.get(field) is not None))
        part = next((part for field in self.parts if (part := held_out(field, values.get(field)))), "")
        return f"{part}/{name}" if part else name


@lru_cache(maxsize=64)
def named_value(fields: tuple[str, ...]) -> Fields | None:
    """The fields of an entry that hold a metric's name and its value; None for an entry of another kind."""
    plain = {spelled_out(field): field for field in fields}
    names = [field for bare, field in plain.items() if bare in _NAMES][:1]
    value = next((field for bare, field in plain.items() if bare in _VALUES), None)
    if not names or not value or not any(map(_is_place, fields)) or tells_training(fields):
        return None
    names += [field for bare, field in plain.items() if bare == _MORE]
    parts = tuple(filter(names_part, fields))
    others = (field for bare, field in plain.items() if not _is_place(field) and not _NO_FIGURE.fullmatch(bare))
    return Fields((*names,), parts, value, tuple(field for field in others if field not in (*names, *parts, value)))


def fields_of(values: Mapping[str, Any]) -> Fields | None:
    """The same, of an entry of which it is known what the fields hold."""
    fields = named_value(tuple(values)) if len(values) > 2 else None
    return None if fields is None or any(is_measured(values[field]) for field in fields.others) else fields


class LongEntries:
    """Puts the metrics of one step together.

    Exports are sorted by metric: as long as no name has come back, entries wait for the end.
    """

    def __init__(self) -> None:
        self._group: dict[str, Any] = {}
        self._place: tuple[Any, ...] = ()
        self._held: list[tuple[Mapping[str, Any], Fields]] = []
        self._by_metric = True
        self._names: set[str] = set()
        self._last = ""

    def add(self, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What is whole with this entry: itself, if of another kind; else the steps before, if this is of another.

        Raises:
            ValueError: it is one of these, and its value is no number.
        """
        fields = fields_of(values)
        if fields is None:
            return [*self.rest(), values]
        name = fields.name_in(values)
        if number(values[fields.value]) is None:
            raise ValueError("no value")
        if not self._by_metric:
            return self._in_turn(values, fields)
        self._by_metric = len(self._held) < _HELD and (name == self._last or name not in self._names)
        self._names.add(name)
        self._last = name
        self._held.append((values, fields))
        return [] if self._by_metric else self._released()

    def rest(self) -> list[Mapping[str, Any]]:
        """The steps that no other has followed yet."""
        if self._by_metric and len(self._names) > 1:
            whole = pivoted(values for values, _ in self._held)
            self._held = []
        else:
            whole = self._released()
        group, self._group = self._group, {}
        return [*whole, group] if group else whole

    def _released(self) -> list[Mapping[str, Any]]:
        held, self._held = self._held, []
        return [whole for entry in held for whole in self._in_turn(*entry)]

    def _in_turn(self, values: Mapping[str, Any], fields: Fields) -> list[Mapping[str, Any]]:
        """The step before, if this entry is of another."""
        name, place = fields.name_in(values), _place(values)
        finished = self._group if name in self._group or tuple(place.values()) != self._place else {}
        self._place = tuple(place.values())
        self._group = {**place, **({} if finished else self._group), name: values[fields.value]}
        return [finished] if finished else []


def pivoted(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Entries of a whole log, those of a step put together wherever they stand, in the order of the steps.

    What a step tells again is an entry of its own, and so is one of another kind.
    """
    groups: dict[tuple[tuple[Any, ...], int, bool], dict[str, Any]] = {}
    times: Counter[tuple[Any, ...]] = Counter()
    for entry in entries:
        fields, place = fields_of(entry), _place(entry)
        name = fields.name_in(entry) if fields else None
        at = (tuple(told if isinstance(told, int | float | str) else None for told in place.values()), name)
        group = groups.setdefault((at[0], times[at], fields is None), place)
        times[at] += 1
        group |= {name: entry[fields.value]} if fields and name else entry
    try:
        return [groups[key] for key in sorted(groups, key=lambda key: (*map(number, key[0]), *key[1:]))]
    except (TypeError, ValueError):
        return list(groups.values())


def _place(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {field: told for field, told in entry.items() if _is_place(field)}


def _is_place(field: str) -> bool:
    return stands_for(field, STEP, EPOCH)
