"""Own sizes: limits that rows of local data have for their images, as far as their first rows tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

import orjson

from vlmft_core.home import expanded
from vlmft_core.plan.row_count import first_rows
from vlmft_core.plan.sample_count import split_file
from vlmft_core.preset.schema import Preset


def with_own_sizes(preset: Preset) -> Preset:
    """A preset whose images are as large as the first rows of its data ask for, where that is more than it says itself:
    what memory has to suffice for."""
    most = max(_own_limits(preset), default=0)
    if most <= preset.data.max_pixels:
        return preset
    # The least, too: no smaller image can be set for them.
    data = preset.data.model_copy(update={"max_pixels": most, "min_pixels": most})
    return preset.model_copy(update={"data": data})


def _own_limits(preset: Preset) -> Iterator[int]:
    for source in preset.data.sources:
        file = split_file(expanded(source.path), source.train_split)
        for row in first_rows(file) if file else []:
            yield from _limits(row)


def _limits(row: dict[str, Any]) -> Iterator[int]:
    """Pixels that images of a row may have, wherever in it they stand: `max_pixels`, or `resized_width` and
    `resized_height`."""
    waiting: list[Any] = [row, *(_parsed(value) for value in row.values() if isinstance(value, str))]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            most, width, height = (value.get(name) for name in ("max_pixels", "resized_width", "resized_height"))
            if _is_size(most):
                yield int(most)
            if _is_size(width) and _is_size(height):
                yield int(width) * int(height)


def _parsed(text: str) -> Any:
    """What a cell of a table holds as JSON."""
    try:
        return orjson.loads(text) if text.startswith(("[", "{")) else None
    except orjson.JSONDecodeError:
        return None


def _is_size(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < 1e12
