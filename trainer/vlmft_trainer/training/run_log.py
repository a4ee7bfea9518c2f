"""Run log: a run's event log as the training program opens it, one segment a start, written by rank 0."""

from __future__ import annotations

import os
import socket
import uuid
from typing import Any, Protocol

from vlmft_core.preset.schema import Preset
from vlmft_core.run_folder.events import NOTE, RUN_END, RUN_START, EventWriter, Record, boot_id
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.versions import installed_versions


class Watcher(Protocol):
    """Is shown what goes into the log."""

    def take(self, record: Record) -> None:
        """One record, in the order written; from any thread, and it must not write."""

    def judge(self) -> None:
        """Think about what was taken; may write."""


class RunLog:
    """Where events go. On every rank but the first, nowhere: the other ranks may call it all the same."""

    def __init__(self, writer: EventWriter | None) -> None:
        self._writer = writer
        self._watcher: Watcher | None = None

    def write(self, event: str, **fields: Any) -> None:
        """Append one record; see `events` for what each event says."""
        if self._writer:
            self._writer.write(event, **fields)
        if self._watcher:
            self._watcher.judge()

    def watch(self, watcher: Watcher) -> bool:
        """Show `watcher` every record from now on.

        Returns:
            Whether this rank writes any.
        """
        if self._writer is None:
            return False
        self._watcher, self._writer.observer = watcher, watcher.take
        return True

    def note(self, message: str) -> None:
        """Say something in the event log and in the plain log."""
        self.write(NOTE, message=message)
        self.say(message)

    def say(self, message: str) -> None:
        """Print a line of the plain log."""
        if self._writer:
            print(message, flush=True)

    def end(
        self,
        status: str,
        reason: str = "",
        best_step: int | None = None,
        best_eval_loss: float | None = None,
        stopped_by: str | None = None,
    ) -> None:
        """Write `run_end`, the last event.

        Args:
            status: one of `events.STATUSES`.
            reason: cut at 1,000 characters.
            stopped_by: what asked for the stop: the name of a file or of a signal; None if nothing did.
        """
        figures = {"best_step": best_step, "best_eval_loss": best_eval_loss}
        self.write(RUN_END, status=status, reason=reason[:1000], **figures, stopped_by=stopped_by)

    def close(self) -> None:
        if self._writer:
            self._writer.close()


def open_run_log(run: RunLayout, preset: Preset, rank: int, world_size: int, resumed_from: int | None = None) -> RunLog:
    """Begin the next segment of a run's log with `run_start`. Loads no torch: this is the first sign of life.

    Raises:
        OSError: the folder cannot be written.
    """
    if rank != 0:
        return RunLog(None)
    run.logs.mkdir(parents=True, exist_ok=True)
    segment = run.last_segment + 1
    log = RunLog(EventWriter(run.events_file(segment)))
    log.write(
        RUN_START,
        run_id=os.environ.get("VLMFT_RUN_ID") or uuid.uuid4().hex,
        segment=segment,
        resumed_from=resumed_from,
        host=socket.gethostname(),
        boot_id=boot_id() or None,
        world_size=world_size,
        preset=preset.model_dump(mode="json"),
        versions=installed_versions(),
    )
    return log
