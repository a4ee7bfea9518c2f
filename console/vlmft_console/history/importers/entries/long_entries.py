"""Long entries: logs with one metric an entry, its name and its value in fields of their own.

{"name": "train/loss", "value": 2.5, "step": 10}        and as tables: name,value,step
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from vlmft_console.history.importers.entries.metric_names import (
    EPOCH,
    STEP,
    held_out,
    known,
    names_part,
    spelled_out,
)
from vlmft_console.history.importers.entries.parsing import number

_NAMES: Final = frozenset(("name", "key", "metric", "metric_name", "tag", "title"))
_MORE: Final = "series"
"""ClearML's second half of a name."""
_VALUES: Final = frozenset(("value", "metric_value", "scalar_value"))


class Fields(NamedTuple):
    """The fields of an entry of this kind."""

    names: tuple[str, ...]
    """Of what the metric is called, and of the part of the data it was measured on."""
    parts: tuple[str, ...]
    value: str

    def name_in(self, values: Mapping[str, Any]) -> str:
        """What an entry's metric is called."""
        name = "/".join(str(values[field]) for field in self.names if values.get(field) is not None)
        part = next((part for field in self.parts if (part := held_out(field, values.get(field)))), "")
        return f"{part}/{name}" if part else name


@lru_cache(maxsize=64)
def named_value(fields: tuple[str, ...]) -> Fields | None:
    """The fields of an entry that hold a metric's name and its value; None for an entry of another kind."""
    plain = {spelled_out(field): field for field in fields}
    names = [field for bare, field in plain.items() if bare in _NAMES][:1]
    value = next((field for bare, field in plain.items() if bare in _VALUES), None)
    if not names or not value or not any(map(_is_place, fields)):
        return None
    more = [field for bare, field in plain.items() if bare == _MORE]
    return Fields((*names, *more), tuple(filter(names_part, fields)), value)


class LongEntries:
    """Puts the metrics of one step together."""

    def __init__(self) -> None:
        self._group: dict[str, Any] = {}
        self._place: tuple[Any, ...] = ()

    def add(self, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What is whole with this entry: itself, where it is of another kind; else the step before, if this is another.

        Raises:
            ValueError: it is one of these, and its value is no number.
        """
        fields = named_value(tuple(values)) if len(values) > 2 else None
        if fields is None:
            return [*self.rest(), values] if self._group else [values]
        name, value = fields.name_in(values), values[fields.value]
        number(value)
        place = {field: told for field, told in values.items() if _is_place(field)}
        finished = self.rest() if name in self._group or tuple(place.values()) != self._place else []
        self._place = tuple(place.values())
        self._group = {**place, **self._group, name: value}
        return finished

    def rest(self) -> list[Mapping[str, Any]]:
        """The step that no other has followed yet."""
        group, self._group = self._group, {}
        return [group] if group else []


def pivoted(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of a whole document, those of a step put together wherever they stand, in the order of the steps."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in entries:
        if fields := named_value(tuple(entry)):
            place = {field: told for field, told in entry.items() if _is_place(field)}
            groups.setdefault(tuple(place.values()), place)[fields.name_in(entry)] = entry[fields.value]
    try:
        return [groups[place] for place in sorted(groups)]
    except TypeError:
        return list(groups.values())


def _is_place(field: str) -> bool:
    found = known(field)
    return found is not None and found.quantity in (STEP, EPOCH)
