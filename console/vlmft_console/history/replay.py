"""Replay: any moment of a log, gone to or let pass again at any speed."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from vlmft_console.history.clock import Clock
from vlmft_console.history.pulse import resumed_from
from vlmft_console.history.series import Series
from vlmft_console.history.snapshot import Snapshot
from vlmft_console.history.state import RunState
from vlmft_console.history.tape import BLOCK, Tape
from vlmft_core.errors import VlmftError
from vlmft_core.health import Finding
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

_STEP = re.compile(r"\d{1,12}")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d*)?) ?%")
_TIME = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d\d)")


class Replay:
    """A log at one moment, which can be moved.

    A position counts records: at position i the records 0 … i - 1 have happened. It begins at 0.

    Args:
        batches: the records of the log, in order: an `OpenedLog`'s `reader.batches()`. All of them are read here; that
            is what takes time. `load` adds more.
        monitor: what the health rules go by.
    """

    def __init__(self, batches: Iterable[list[Record]], monitor: Settings | None = None) -> None:
        self._whole = RunState(monitor)
        self._tape = Tape()
        self._snapshots: list[Snapshot] = []
        self._evals: array[int] = array("q")
        self._steps = Series()
        self._now = 0.0
        self.clock = Clock()
        """When each record came."""
        self.state = RunState(monitor)
        """What the records up to the position add up to. After a move it may be another object."""
        for batch in batches:
            self.load(batch)

    def load(self, records: list[Record]) -> None:
        """Add further records at the end of the log."""
        while records:
            room = BLOCK - len(self._tape) % BLOCK
            if room == BLOCK:
                self._snapshots.append(Snapshot(self._whole))
            part, records = records[:room], records[room:]
            for number, record in enumerate(part, len(self._tape)):
                self.clock.add(record)
                if record["event"] == events.STEP:
                    self._steps.append(record["step"], number)
                elif record["event"] == events.EVAL:
                    self._evals.append(number)
                elif record["event"] == events.RUN_START:
                    self._steps.rewind(resumed_from(record))
            self._whole.apply_all(part)
            self._tape.add(part)

    @property
    def length(self) -> int:
        """Records of the log."""
        return len(self._tape)

    @property
    def position(self) -> int:
        """Records that have happened."""
        return self.state.applied

    @property
    def seconds(self) -> float:
        """How long the log takes at its own speed."""
        return self.clock.seconds

    @property
    def now(self) -> float:
        """Where the clock stands, in seconds since the first record."""
        return self._now

    @property
    def all_findings(self) -> list[tuple[float, Finding]]:
        """Every finding as it is at the end of the log, with the second at which it is raised."""
        raised = zip(self._whole.raised_at, self._whole.findings, strict=True)
        return [(self.clock.of(number), finding) for number, finding in raised]

    def seek(self, position: int) -> None:
        """Go to a position; one outside of the log means its start or its end."""
        self._move(min(max(position, 0), self.length))
        self._now = self.clock.of(self.position - 1) if self.position else 0.0

    def seek_step(self, step: int) -> None:
        """Go to just after a step, the one nearest to `step` that no resumed segment has superseded."""
        nearest = self._steps.nearest(step)
        if nearest is not None and nearest[1] is not None:
            self.seek(int(nearest[1]) + 1)

    def seek_time(self, seconds: float) -> None:
        """Go to a moment, in seconds since the first record."""
        self._now = min(max(seconds, 0.0), self.seconds)
        self._move(self.clock.count(self._now))

    def seek_text(self, text: str) -> None:
        """Go to what a person typed.

        Args:
            text: a step (`1250` or `1,250`), a share of the time (`40%`), or a time since the start (`12:05`,
                `1:20:00`).

        Raises:
            VlmftError: the text is none of these; the position is as before.
        """
        text = text.strip()
        if _STEP.fullmatch(number := re.sub(r"[,_ ]", "", text)):
            self.seek_step(int(number))
        elif share := _SHARE.fullmatch(text):
            self.seek_time(self.seconds * float(share[1]) / 100)
        elif time := _TIME.fullmatch(text):
            hours, minutes, seconds = (int(part or 0) for part in time.groups())
            self.seek_time(3600.0 * hours + 60.0 * minutes + seconds)
        else:
            raise VlmftError(f"{text!r} is no moment", "a step (1250), a share (40%) or a time (1:20:00)")

    def advance(self, seconds: float, speed: float = 1.0) -> bool:
        """Let `seconds` pass at `speed` times the speed of the log.

        Returns:
            Whether there is more to come.
        """
        self.seek_time(self._now + seconds * speed)
        return self.position < self.length

    def next_finding(self) -> Finding | None:
        """Go to where the next finding is raised, and give it; None, and no move, when there is none."""
        return self.state.findings[-1] if self._next(self._whole.raised_at) else None

    def previous_finding(self) -> Finding | None:
        """Go back to where the finding before this moment was raised, and give it."""
        return self.state.findings[-1] if self._previous(self._whole.raised_at) else None

    def next_eval(self) -> Record | None:
        """Go to the next eval, and give it; None, and no move, when there is none."""
        return self.state.evals[-1] if self._next(self._evals) else None

    def previous_eval(self) -> Record | None:
        """Go back to the eval before this moment, and give it."""
        return self.state.evals[-1] if self._previous(self._evals) else None

    def _next(self, records: Sequence[int]) -> bool:
        index = bisect_left(records, self.position)
        if index == len(records):
            return False
        self.seek(records[index] + 1)
        return True

    def _previous(self, records: Sequence[int]) -> bool:
        """To just after the last of `records` that is not the one that happened last."""
        index = bisect_right(records, self.position - 2) - 1
        if index < 0:
            return False
        self.seek(records[index] + 1)
        return True

    def _move(self, position: int) -> None:
        if not self.position <= position <= self.position + BLOCK:
            self._whole.smooth_loss.weight = self.state.smooth_loss.weight
            self.state = self._snapshots[min(position // BLOCK, len(self._snapshots) - 1)].of(self._whole)
        while self.position < position:
            block, start = divmod(self.position, BLOCK)
            self.state.apply_all(self._tape.block(block)[start : start + position - self.position])
