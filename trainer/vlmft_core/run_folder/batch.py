"""Batch: records that came together, the steps among them as columns, too. So a long log costs a third less to read."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from itertools import islice, pairwise
from operator import itemgetter, le, lt
from typing import Any, Final

import orjson

from vlmft_core.run_folder.events import STEP, Record, require_valid


class Batch(list[Record]):
    """Records in order. They must stay as they are once they were looked at."""

    plain = False
    """Whether all steps are known to have all that a step must tell, as numbers."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> Batch:
        """The same records as a batch, if they are none yet."""
        return records if isinstance(records, cls) else cls(records)

    @cached_property
    def kinds(self) -> list[str]:
        """The event of each record."""
        return list(map(itemgetter("event"), self))

    @cached_property
    def others(self) -> list[int]:
        """Indices of the records that are no `step`."""
        return [index for index, kind in enumerate(self.kinds) if kind != STEP]

    @cached_property
    def steps(self) -> list[Record]:
        """The `step` records."""
        found: list[Record] = []
        for before, end in pairwise([-1, *self.others, len(self)]):
            found += self[before + 1 : end]
        return found

    @cached_property
    def rises(self) -> bool:
        """Whether each step is higher than the one before it."""
        steps = self.column("step")
        return all(map(lt, steps, islice(steps, 1, None)))

    @property
    def goes_back(self) -> bool:
        """Whether a step is lower than the one before it."""
        steps = self.column("step")
        return not self.rises and not all(map(le, steps, islice(steps, 1, None)))

    def has(self, key: str) -> bool:
        """Whether any of the steps has this field."""
        keys, _ = self._table
        return key in keys if keys else any(key in record for record in self.steps)

    def column(self, key: str) -> Sequence[Any]:
        """A field of the steps, one value each; None where one does not have it."""
        _, columns = self._table
        if key not in columns:
            columns[key] = [record.get(key) for record in self.steps] if self.has(key) else [None] * len(self.steps)
        return columns[key]

    @cached_property
    def _table(self) -> tuple[frozenset[str], dict[str, Sequence[Any]]]:
        """The fields of the steps, if all have the same, and their columns."""
        steps = self.steps
        keys = list(steps[0]) if steps else []
        if len(keys) < 2 or set(map(len, steps)) != {len(keys)}:
            return frozenset(), {}
        try:
            rows = map(itemgetter(*keys), steps)
            return frozenset(keys), dict(zip(keys, zip(*rows, strict=True), strict=True))
        except KeyError:
            return frozenset(), {}


_INTEGERS: Final = ("v", "seq", "step")
_NUMBERS: Final = ("t", "epoch", "loss", "lr", "grad_norm")
_BETWEEN: Final = random.getrandbits(53)
"""Stands between lines that are read together. No line knows it, so none makes up for two that are one value."""


def parse_all(lines: Sequence[bytes]) -> Batch | None:
    """Lines of a log as records, each as `events.parse` has it; None where one of them is no record."""
    try:
        values = orjson.loads(b"[%b]" % (b",%d," % _BETWEEN).join(lines))
        found = values[::2]
        if len(found) != len(lines) or set(map(type, found)) != {dict} or values[1::2] != [_BETWEEN] * (len(lines) - 1):
            return None
        batch = Batch(found)
        batch.plain = _all_plain(batch)
        for record in [batch[index] for index in batch.others] if batch.plain else batch:
            require_valid(record)
    except (ValueError, KeyError):
        return None
    return batch


def _all_plain(batch: Batch) -> bool:
    """Whether all steps are valid ones of the kind that nearly all are: told sooner, and never more leniently."""
    for keys, kind, limit in ((_INTEGERS, int, 2**53), (_NUMBERS, float, 1e300)) if batch.steps else ():
        for column in map(batch.column, keys):
            # where none is negative, none is above the sum, which is had sooner than the highest
            if set(map(type, column)) != {kind} or min(column) < 0 or not sum(column) < limit:
                return False
    return True
