"""A run's event log as the training program opens it: one segment a start, written by rank 0."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from vlmft_core.preset.schema import Preset
from vlmft_core.run_folder.events import NOTE, RUN_END, RUN_START, EventWriter, Record, parse

PACKAGES = ("torch", "transformers", "peft", "deepspeed", "accelerate", "datasets")


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
        self, status: str, reason: str = "", best_step: int | None = None, best_eval_loss: float | None = None
    ) -> None:
        """Write `run_end`, the last event.

        Args:
            status: one of `events.STATUSES`.
            reason: cut at 1,000 characters.
        """
        self.write(RUN_END, status=status, reason=reason[:1000], best_step=best_step, best_eval_loss=best_eval_loss)

    def close(self) -> None:
        if self._writer:
            self._writer.close()


def open_run_log(
    output_dir: Path, preset: Preset, rank: int, world_size: int, resumed_from: int | None = None
) -> RunLog:
    """Begin the next segment of a run's log with `run_start`. Loads no torch: this is the first sign of life.

    Raises:
        OSError: the folder cannot be written.
    """
    if rank != 0:
        return RunLog(None)
    folder = output_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    taken = [int(path.stem.removeprefix("events-")) for path in segments(output_dir)]
    segment = max(taken, default=0) + 1
    log = RunLog(EventWriter(folder / f"events-{segment:04}.jsonl"))
    log.write(
        RUN_START,
        run_id=os.environ.get("VLMFT_RUN_ID") or uuid.uuid4().hex,
        segment=segment,
        resumed_from=resumed_from,
        host=socket.gethostname(),
        boot_id=_boot_id(),
        world_size=world_size,
        preset=preset.model_dump(mode="json"),
        versions={"python": sys.version.split()[0]} | {name: _version(name) for name in ("vlmft", *PACKAGES)},
    )
    return log


def segments(output_dir: Path) -> list[Path]:
    """The files of a run's event log, in the order of its starts."""
    return sorted((output_dir / "logs").glob("events-[0-9]*.jsonl"))


def records(segment: Path) -> Iterator[Record]:
    """What is in one of them; lines that are no records are passed over."""
    for line in segment.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            yield parse(line)


def base_scores(output_dir: Path) -> dict[str, Any]:
    """What the base answered before the first step, as an earlier segment tells it; empty if none does."""
    for path in segments(output_dir):
        for line in path.read_bytes().split(b"\n"):
            if b'"event":"eval","step":0,' in line:
                with contextlib.suppress(ValueError):
                    return dict(parse(line).get("tasks") or {})
    return {}


def _boot_id() -> str | None:
    """Changes with every boot of this machine; None where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
