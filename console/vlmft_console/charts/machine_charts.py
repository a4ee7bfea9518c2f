"""Machine charts: how busy the GPUs and hosts of a run were, what memory they used, what disk space was left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from vlmft_console.charts.derived import Times
from vlmft_console.charts.spec import ChartSpec, Curve, Points, ReferenceLine
from vlmft_console.figures import whole
from vlmft_console.history.metrics import is_number
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import GIB, figure

_MOST: Final = 8
"""Parts that can be told apart in one chart, the first ones."""
_NOTHING: Final = Series()
_GB: Final = GIB / 1e9
"""A GiB in GB: disk space is told in these, as sizes of files are."""
_PART: Final = re.compile(r"(gpu|host)(\d+)\.(\w+)")


def load(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Load of each GPU and, dimmer, of each host's cores."""
    return _chart(state, blank, "%", ("gpu", "util"), ("host", "cpu"))


def gpu_memory(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Memory of each GPU that is used, by whomever."""
    return with_total(_chart(state, blank, "GiB", ("gpu", "mem_gib")), state.gpus)


def host_memory(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Memory of each host that is used, by whomever."""
    return with_total(_chart(state, blank, "GiB", ("host", "mem_gib")), state.hosts)


def disk(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Disk space to be had where the run folder is, as each host sees it."""
    return _chart(state, blank, "GB", ("host", "disk_free_gib"), factor=_GB)


def free_disk(state: RunState) -> Points:
    """That of the first host; nothing without one that tells it."""
    return Times(first_of(state, ("host", "disk_free_gib")), _GB)


def first_of(state: RunState, *kinds: tuple[str, str]) -> Series:
    """The series of the first GPU or host that has one of these figures; an empty one without such a part."""
    return next((found for kind in kinds for _, found in _series(state, *kind)), _NOTHING)


def _series(state: RunState, what: str, name: str) -> list[tuple[int, Series]]:
    """The series of one figure, each with the index of its part, in order."""
    matches = ((_PART.fullmatch(key), series) for key, series in state.metrics.items())
    found = [(int(match[2]), series) for match, series in matches if match and match[1] == what and match[3] == name]
    return sorted((each for each in found if each[1]), key=lambda each: each[0])


def _chart(state: RunState, blank: ChartSpec, unit: str, *kinds: tuple[str, str], factor: float = 1.0) -> ChartSpec:
    """A curve for each part of the first kind that there is, in colours; those of the other kinds beside them dim."""
    found = [(what, name, parts) for what, name in kinds if (parts := _series(state, what, name))]
    curves: list[Curve] = []
    for number, (what, name, parts) in enumerate(found):
        words = [_words(state, what, name, index, len(parts)) for index, _ in parts]
        for place, (label, (_, series)) in enumerate(zip(words[:_MOST], parts, strict=False)):
            alone = len(parts) == 1 and len(found) == 1
            style = "" if alone else f"run-{place + 1}" if number == 0 else "planned"
            tag = "" if alone else str(place + 1) if number == 0 else "abcdefgh"[place]
            curves.append(Curve(label, series if factor == 1 else Times(series, factor), "line", style, tag))
    main = [series.last for _, series in found[0][2]] if found else []
    last = [factor * end[1] for end in main if end and end[1] is not None]
    more = sum(max(0, len(parts) - _MOST) for *_, parts in found)
    headline = f"{_between(last)} {unit}{f', {more} more in metrics' if more else ''}" if last else ""
    return replace(blank, curves=tuple(curves), headline=headline)


def _words(state: RunState, what: str, name: str, index: int, of: int) -> str:
    """What a part is called."""
    if what == "gpu":
        return f"GPU {index}"
    if of == 1:
        return "CPU" if name == "cpu" else "host"
    known = next((host.get("name") for host in state.hosts if host.get("index") == index), None)
    return sanitize(str(known)) if known else f"host {index}"


def _between(values: Sequence[float]) -> str:
    """The figure of one part, or from where to where those of several lie."""
    low, high = figure(min(values)), figure(max(values))
    return low if low == high else f"{low} to {high}"


def with_total(spec: ChartSpec, parts: Sequence[Mapping[str, Any]]) -> ChartSpec:
    """The chart with a line at what each of the parts has of memory; of several the least."""
    totals = [part.get("mem_total_gib", 0.0) for part in parts]
    known = [float(total) for total in totals if is_number(total) and total > 0]
    if not known:
        return spec
    return replace(spec, references=(ReferenceLine(min(known), f"{whole(min(known))} GiB in all", "caution"),))
