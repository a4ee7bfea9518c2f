"""Ends of a run's log: what its first and its last records alone tell, where there is no time to read all of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from vlmft_console.history.log_figures import LogFigures
from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import EVAL, PLAN, RUN_START, STEP, Record, parse

UNJUDGED = "?"
"""In place of the health, which only the whole log tells."""
_HEAD = 1 << 16
"""Bytes in which a log has told its plan."""
_TAIL = 4 << 20
"""Bytes of its end that are looked through, at most: …"""
_FIRST, _TIMES = 1 << 16, 8
"""… so many at first, and as long as there is no eval in them, so many times more."""


def figures_at_ends(segments: list[Path]) -> LogFigures | None:
    """Steps done and planned, the last loss and the last eval loss of a run. They are what the whole log would tell:
    within a segment, rank 0 never goes back.

    Args:
        segments: the event logs of a run.

    Returns:
        None where its ends do not tell them for certain: the run was resumed, the last values are not finite, no eval
        is near the end, or the records are spelled otherwise than rank 0 does.
    """
    if len(segments) != 1:
        return None
    with suppress(OSError, VlmftError):
        descriptor = open_regular(segments[0])
        try:
            return _looked_at(descriptor)
        finally:
            os.close(descriptor)
    return None


def _looked_at(log: int) -> LogFigures | None:
    head, size, looked = os.pread(log, _HEAD, 0), os.fstat(log).st_size, min(_FIRST, _TAIL)
    while (evaluated := _last(tail := os.pread(log, looked, max(0, size - looked)), EVAL)) is None:
        if looked >= min(size, _TAIL):
            break
        looked = min(_TIMES * looked, _TAIL)
    return _told(head, tail, evaluated, whole=size <= looked)


def _told(head: bytes, tail: bytes, evaluated: Record | None, *, whole: bool) -> LogFigures | None:
    plan, step = _last(head, PLAN), _last(tail, STEP)
    if not head.startswith(b"{") or _RUN_START not in head.partition(b"\n")[0] or tail.count(_RUN_START) > whole:
        return None
    if plan is None or step is None or step["loss"] is None:
        return None
    if evaluated is None:
        return LogFigures(step["step"], plan["total_steps"], step["loss"], health=UNJUDGED) if whole else None
    if evaluated["eval_loss"] is None:
        return None
    return LogFigures(step["step"], plan["total_steps"], step["loss"], evaluated["eval_loss"], health=UNJUDGED)


def _needle(event: str) -> bytes:
    """What stands in a record of this event, and in no other: within a text, quotes have a backslash before them."""
    return b'"event":"%s"' % event.encode()


_RUN_START = _needle(RUN_START)


def _last(lines: bytes, event: str) -> Record | None:
    """The last whole record of an event."""
    needle, at = _needle(event), len(lines)
    while (at := lines.rfind(needle, 0, at)) >= 0:
        end = lines.find(b"\n", at)
        with suppress(ValueError):
            record = parse(lines[lines.rfind(b"\n", 0, at) + 1 : end])
            if end >= 0 and record["event"] == event:
                return record
    return None
