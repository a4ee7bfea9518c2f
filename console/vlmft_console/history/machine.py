"""Machine figures: what the `gpu` and `host` events of a log tell, by name: `gpu0.util`, `host0.disk_free_gib`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from vlmft_console.history.metrics import is_number
from vlmft_core.run_folder.events import GPU, HOST, Record

_PARTS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    GPU: ("gpus", "gpu", ("util", "mem_gib", "power_w", "temp_c")),
    HOST: ("hosts", "host", ("cpu", "mem_gib", "disk_free_gib")),
}
"""By event: the field with its parts, what a part is called, and which of its figures make a curve."""
_MOST: Final = 10_000
_NAME: Final = re.compile(
    rf"(?:gpu|host)\d+\.(?:{'|'.join(name for _, _, names in _PARTS.values() for name in names)})"
)


def parts_of(record: Record) -> tuple[Mapping[str, Any], ...]:
    """The GPUs, or the hosts, that an event tells of."""
    parts = record.get(_PARTS[record["event"]][0])
    return tuple(part for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()


def machine_figures(record: Record) -> Iterator[tuple[str, float]]:
    """The figures of a `gpu` or `host` event, each with its name."""
    _, what, names = _PARTS[record["event"]]
    for part in parts_of(record):
        index = part.get("index")
        if type(index) is int and 0 <= index < _MOST:
            yield from ((f"{what}{index}.{name}", part[name]) for name in names if is_number(part.get(name)))


@lru_cache(maxsize=4096)
def is_machine_figure(name: str) -> bool:
    """Whether a metric of this name is one of those."""
    return _NAME.fullmatch(name) is not None
