"""Log clock: when each record of a log came, to play it by. It never goes back, and skips pauses between segments."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Literal

from vlmft_core.run_folder.events import RUN_START, STEP, Record

PAUSE_SECONDS = 1.0
"""What is left of the time between the end of a segment and the start of the next."""


class Clock:
    """Seconds from the first record to each record.

    They are taken from the monotonic clock, where that did not begin anew, else from the time of day. A log that has no
    times, or hardly any, is spread evenly: a second a step.
    """

    def __init__(self) -> None:
        self._times = array("d")
        self._even = array("d")
        self._steps = self._timed = 0
        self._mono: float | None = None
        self._unix: float | None = None

    def add(self, record: Record) -> None:
        """Take in the next record."""
        mono, unix = record.get("mono"), record["t"]
        mono = mono if isinstance(mono, float) else None
        passed = _difference(mono, self._mono)
        if passed is None:
            passed = _difference(unix, self._unix) or 0.0
        if record["event"] == RUN_START:
            passed = min(passed, PAUSE_SECONDS)
        elif record["event"] == STEP:
            self._steps += 1
            self._timed += unix is not None or mono is not None
        self._times.append((self._times[-1] if self._times else 0.0) + passed)
        self._even.append(float(self._steps))
        self._mono, self._unix = mono, unix if unix is not None else self._unix

    @property
    def kind(self) -> Literal["log", "even"]:
        """Whether the times are those of the log, or a second a step."""
        told = self._times and self._times[-1] > 0 and 2 * self._timed >= self._steps
        return "log" if told else "even"

    def of(self, record: int) -> float:
        """Seconds from the first record to this one."""
        return self._seconds[record]

    @property
    def seconds(self) -> float:
        """Seconds from the first record to the last."""
        return self._seconds[-1] if self._seconds else 0.0

    def count(self, seconds: float) -> int:
        """How many records have come this many seconds after the first."""
        return bisect_right(self._seconds, seconds)

    @property
    def _seconds(self) -> array[float]:
        return self._times if self.kind == "log" else self._even


def _difference(now: float | None, before: float | None) -> float | None:
    return now - before if now is not None and before is not None and now >= before else None
