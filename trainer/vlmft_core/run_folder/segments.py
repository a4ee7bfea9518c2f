"""Segments of a run's event log: one file for each start or resume, and the records in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vlmft_core.run_folder.events import EVAL, Record
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.tail import Tail


def records(segments: Iterable[Path]) -> Iterator[Record]:
    """What is in these files, in order; lines that are no records are passed over.

    Raises:
        VlmftError: one of them cannot be read.
    """
    for segment in segments:
        for batch in Tail(segment).batches():
            yield from batch


def base_scores(run: RunLayout) -> dict[str, Any]:
    """What the base answered before the first step, by task; empty if no segment tells.

    Raises:
        VlmftError: as `records`.
    """
    evals = (record for record in records(run.segments) if record["event"] == EVAL and record["step"] == 0)
    return dict(next(evals, {}).get("tasks") or {})
