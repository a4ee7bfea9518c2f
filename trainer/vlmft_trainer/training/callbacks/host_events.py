"""`host` events: load, memory and disk space of every host of the run, every ten seconds.

Rank 0 alone writes the event log, so the first rank of each other host leaves its figures in the run folder, in a file
that it replaces, and rank 0 takes them from there: a host that hangs keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from vlmft_core.durable import as_json, delete, read_json, write_whole
from vlmft_core.figures import GIB
from vlmft_core.run_folder.events import HOST
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.run_log import RunLog

SECONDS: Final = 10.0
PATIENCE_S: Final = 5.0
"""Longest wait, at the end, for a file system that does not answer, in seconds."""
FIGURES: Final = ("cpu", "mem_gib", "mem_total_gib", "disk_free_gib", "disk_total_gib")
"""Busy share of all cores since the last time in percent; memory that is not to be had, and all of it; disk space to be
had where the run folder is, and all of it. GiB."""
_LOOKS: Final = 6
"""After so many looks a host that has told nothing is named."""


class HostFigures:
    """What one host says of itself.

    Args:
        folder: a place on the disk that is meant.
        system: where the kernel tells.
    """

    def __init__(self, folder: Path, system: Path = Path("/proc")) -> None:
        self._folder = folder
        self._system = system
        self._before: tuple[int, int] | None = None

    def read(self) -> dict[str, float | None]:
        """The figures by the names of `FIGURES`, to 0.01; None for what is not known, as the first `cpu`."""
        figures = (self._cpu(), *self._memory(), *self._disk())
        return {name: None if value is None else round(value, 2) for name, value in zip(FIGURES, figures, strict=True)}

    def _cpu(self) -> float | None:
        try:
            times = [int(word) for word in (self._system / "stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
            now = sum(times), times[3] + times[4]  # all, and idle or waiting for a disk
        except (OSError, ValueError, IndexError):
            return None
        before, self._before = self._before, now
        if before is None or now[0] <= before[0]:
            return None
        return 100 * (1 - (now[1] - before[1]) / (now[0] - before[0]))

    def _memory(self) -> tuple[float | None, float | None]:
        try:
            lines = (self._system / "meminfo").read_text("ascii").splitlines()
            kib = {line.partition(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
            total, free = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
        except (OSError, ValueError, IndexError, KeyError):
            return None, None
        return (total - free) / GIB, total / GIB

    def _disk(self) -> tuple[float | None, float | None]:
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return None, None
        return usage.free / GIB, usage.total / GIB


class HostEvents:
    """Writes `host` events while it is entered, from threads, so that a host's trouble cannot harm the training.

    A host that has told nothing new since the last event is left out of the next; a note says which one never came.
    """

    def __init__(self, log: RunLog, run: RunLayout, seconds: float = SECONDS) -> None:
        self._log = log
        self._run = run
        self._seconds = seconds
        self._hosts: list[str] = []
        self._own: int | None = None
        self._told: dict[int, object] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="host figures", daemon=True)

    def __enter__(self) -> Self:
        """Every rank calls it, and says on which host it is."""
        hosts = ranks.gather(socket.gethostname())
        self._hosts = list(dict.fromkeys(hosts))
        firsts = [hosts.index(host) for host in self._hosts]
        if ranks.rank() in firsts:
            self._own = firsts.index(ranks.rank())
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)
        if self._own:
            with contextlib.suppress(OSError):
                delete(self._run.host_file(self._own))

    def _watch(self) -> None:
        figures, looks = HostFigures(self._run.path), 0
        while not self._stopped.is_set():
            own, looks = figures.read(), looks + 1
            if self._own:
                self._leave(own, looks)
            else:
                self._write(own, looks)
            self._stopped.wait(self._seconds)

    def _leave(self, own: Mapping[str, float | None], looks: int) -> None:
        """For rank 0 to find."""
        assert self._own is not None
        with contextlib.suppress(OSError):  # rank 0 tells who does not come
            write_whole(self._run.host_file(self._own), as_json({"looks": looks, **own}))

    def _write(self, own: Mapping[str, float | None], looks: int) -> None:
        told = [{"index": 0, "name": self._hosts[0], **own}]
        for index, name in enumerate(self._hosts[1:], 1):
            found = read_json(self._run.host_file(index)) or {}
            if found and found.get("looks") != self._told.get(index):
                self._told[index] = found.get("looks")
                told.append({"index": index, "name": name, **{key: found.get(key) for key in FIGURES}})
        if self._stopped.is_set():
            return
        self._log.write(HOST, hosts=told)
        silent = [name for index, name in enumerate(self._hosts[1:], 1) if index not in self._told]
        if looks == _LOOKS and silent:
            self._log.note(f"no figures of {', '.join(silent)}: its file does not come to rank 0's host")
