"""Event log: JSON Lines, ASCII, one record a line, written by rank 0 alone.

Every record has `v` (version, 1), `seq` (0, 1, … within its file), `t` (unix seconds), `mono` (monotonic seconds) and
`event`. A number that is not finite is written as null and its field is named in `nonfinite`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from vlmft_core.durable import open_own

VERSION: Final = 1

RUN_START: Final = "run_start"
PLAN: Final = "plan"
STEP: Final = "step"
EVAL: Final = "eval"
METRICS: Final = "metrics"
"""Numbers of another program's log by their own names, in the field `metrics`; `step` and `eval` may have it, too."""
CHECKPOINT: Final = "checkpoint"
GPU: Final = "gpu"
HOST: Final = "host"
HEALTH: Final = "health"
ROWS: Final = "rows"
"""The data of a step whose loss or gradient was out of the ordinary: `step`, `why`, `rows` (where each stands, as far
as they fit), `of` (how many there were), and `suspects`, those of the micro-batches where it happened."""
HEARTBEAT: Final = "heartbeat"
NOTE: Final = "note"
RUN_END: Final = "run_end"

FINISHED: Final = "finished"
STOPPED: Final = "stopped"
EARLY_STOPPED: Final = "early_stopped"
FAILED: Final = "failed"
STATUSES: Final = (FINISHED, STOPPED, EARLY_STOPPED, FAILED)
"""What `run_end` may say."""

Record = dict[str, Any]
"""One record as it stands in the log."""

MAX_LINE: Final = 1 << 20
"""Longest accepted line in bytes; a longer one is rejected unread."""

SYNCED: Final = frozenset({RUN_START, EVAL, CHECKPOINT, HEALTH, RUN_END})
"""Events that reach the disk before `write` returns."""

SYNC_SECONDS: Final = 5.0
"""All others are on the disk after at most this time, as long as events keep coming."""

# Required fields by kind. "number" may be null (not finite, or not known); an integer may not.
_REQUIRED: Final[dict[str, dict[str, str]]] = {
    RUN_START: {"run_id": "text", "segment": "integer"},
    PLAN: {
        "total_steps": "integer",
        "steps_per_epoch": "integer",
        "warmup_steps": "integer",
        "peak_lr": "number",
    },
    STEP: {"step": "integer", "epoch": "number", "loss": "number", "lr": "number", "grad_norm": "number"},
    EVAL: {"step": "integer", "epoch": "number", "eval_loss": "number"},
    METRICS: {"step": "integer", "epoch": "number"},
    CHECKPOINT: {"step": "integer", "path": "text"},
    GPU: {"gpus": "objects"},
    HOST: {"hosts": "objects"},
    HEALTH: {"rule": "text", "severity": "text", "step": "integer", "message": "text"},
    ROWS: {"step": "integer", "why": "text"},
    HEARTBEAT: {"step": "integer"},
    NOTE: {"message": "text"},
    RUN_END: {"status": "text"},
}

_ALWAYS: Final = {"v": "integer", "seq": "integer", "t": "number"}
_KINDS: Final = {
    event: tuple(
        tuple(key for key, kind in {**_ALWAYS, **required}.items() if kind == wanted)
        for wanted in ("integer", "number", "text", "objects")
    )
    for event, required in {"": {}, **_REQUIRED}.items()
}
"""The fields to check, by event: integers, numbers, texts and lists of objects; under "" those of every event."""


@cache
def boot_id() -> str:
    """The kernel's id of this boot of the machine, within which process ids and `mono` mean anything; empty where the
    kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


class EventWriter:
    """Appends records to one file; safe to call from several threads.

    A full disk or another write error never reaches the caller: the record is counted as lost, and how many were
    lost is noted in the log as soon as writing works again.

    Args:
        path: the segment's file; created with mode 0600, its folder must exist. `seq` starts at 0.

    Raises:
        OSError: the file cannot be opened, or is a link or no file.
    """

    def __init__(self, path: Path) -> None:
        self._fd = open_own(path, os.O_WRONLY | os.O_APPEND)
        self._lock = threading.Lock()
        self._seq = 0
        self._synced = time.monotonic()
        self._broken = False  # the last write failed, perhaps in the middle of a line
        self.lost = 0
        """Records that could not be written so far."""
        self.observer: Callable[[Record], None] | None = None
        """Is shown every record written, in order and while others wait to write: it must be quick and not write."""

    def write(self, event: str, **fields: Any) -> bool:
        """Append one record.

        Returns:
            True once the kernel has the whole record (it then survives the death of this process).
        """
        with self._lock:
            if self.lost and self._append(NOTE, {"message": f"{self.lost} event records were lost: disk error"}):
                self.lost = 0
            if not self._append(event, fields):
                self.lost += 1
                return False
            return True

    def _append(self, event: str, fields: Mapping[str, Any]) -> bool:
        head = {"v": VERSION, "seq": self._seq, "t": time.time(), "mono": time.monotonic(), "event": event}
        nonfinite: list[str] = list(fields.get("nonfinite") or [])
        body = {key: _finite(value, key, nonfinite) for key, value in fields.items() if key != "nonfinite"}
        if nonfinite:
            body["nonfinite"] = sorted(set(nonfinite))
        record = {**head, **body}
        line = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        try:
            self._write_all((b"\n" if self._broken else b"") + line.encode("ascii") + b"\n")
        except OSError:
            self._broken = True
            return False
        self._broken = False
        self._seq += 1
        if self.observer:
            self.observer(record)
        now = time.monotonic()
        if event in SYNCED or now - self._synced >= SYNC_SECONDS:
            self._synced = now
            with contextlib.suppress(OSError):  # the record stands in the kernel; the disk may recover
                os.fdatasync(self._fd)
        return True

    def _write_all(self, data: bytes) -> None:
        """One write nearly always; a short one (disk just filled, signal) is completed or raises."""
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        """Flush to the disk and close; a second call does nothing."""
        with self._lock:
            if self._fd < 0:
                return
            with contextlib.suppress(OSError):  # nothing is left to do about it, and the run's end must not fail
                os.fdatasync(self._fd)
            os.close(self._fd)
            self._fd = -1


def _finite(value: Any, path: str, nonfinite: list[str]) -> Any:
    """`value` with every NaN and infinity replaced by None, and where they stood added to `nonfinite`."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        nonfinite.append(path)
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item, f"{path}.{key}", nonfinite) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, f"{path}.{index}", nonfinite) for index, item in enumerate(value)]
    return value


def parse(line: bytes) -> Record:
    """One line of the log as a record; fields and events that this version does not know are kept.

    Raises:
        ValueError: not a record: too long, torn, not JSON, or a field of the wrong type. The message says which.
    """
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of {len(line):,} bytes")
    record = orjson.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    require_valid(record)
    return record


def require_valid(record: Record) -> None:
    """Refuse an object that is no record.

    Raises:
        ValueError: a field is missing, or of the wrong type. The message says which.
    """
    event = record.get("event")
    if not isinstance(event, str):
        raise ValueError("no event name")
    integers, numbers, texts, lists = _KINDS.get(event, _KINDS[""])
    for key in integers:
        value = record.get(key)
        # bool is an int to Python, but `"step": true` is a mistake; beyond 2**53 nobody trains
        if type(value) is not int or not 0 <= value < 2**53:
            raise ValueError(f"{key} is not an integer")
    for key in numbers:
        value = record.get(key, "")  # null says something, that it is not known; nothing at all is a mistake
        if value is not None and (type(value) not in (float, int) or not abs(value) < 1e300):
            raise ValueError(f"{key} is not a number")
    for key in texts:
        if not isinstance(record.get(key), str):
            raise ValueError(f"{key} is not a text")
    for key in lists:
        value = record.get(key)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise ValueError(f"{key} is not a list of objects")
