"""Slurm family: srun is a child of this process, the ranks are Slurm's, which signals them; srun tells how they end."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

from vlmft_console.places.slurm import signal_ranks
from vlmft_console.runs.family import Family, RankEnd
from vlmft_console.runs.processes import Identity
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.growing import GrowingFile, LineSplitter

_ENDED = re.compile(r"srun: error: (\S+): tasks? ([\d,-]+): (.+)")
"""How ranks ended that did not end well. A line of a rank's own begins with its number (`srun --label`)."""
_ABORTING = ("srun: forcing job termination", "srun: Job step aborted", "srun: launch/slurm: _step_signal: Terminating")
"""What begins a line after which ranks are killed by Slurm."""
_EXITED = re.compile(r"Exited with exit code (\d+)")
_SIGNALS = {signal.strsignal(number): number.value for number in signal.Signals} | {"Out Of Memory": 9}


class SlurmFamily(Family):
    """The srun of a job, and the ranks as far as it tells of them.

    Args:
        launcher: srun.
        job: number of the job that this process is the batch step of.
        log: what srun prints to.
    """

    def __init__(self, launcher: Identity, job: str, log: Path) -> None:
        super().__init__(launcher, {})
        self._job = job
        self._log, self._lines = GrowingFile(log), LineSplitter()
        self._aborting = False

    def observe(self, *, signalled: bool) -> bool:
        new = super().observe(signalled=signalled)
        for line in self._said():
            self._aborting |= line.startswith(_ABORTING)
            if found := _ENDED.match(line):
                status = _status(found[3].strip())
                for rank in _ranks(found[2]):
                    end = RankEnd(rank, len(self.ends), status, signalled or self._aborting, found[1])
                    self.ends.setdefault(rank, end)
        return new

    def signal_ranks(self, number: signal.Signals) -> None:
        signal_ranks(self._job, number)

    def _said(self) -> Iterator[str]:
        """Lines that came since the last look."""
        try:
            while data := self._log.chunk():
                for line in self._lines.feed(data):
                    yield line.decode(errors="replace")
        except VlmftError:
            return


def _status(said: str) -> int | None:
    """As `waitpid` gives it; None for words of Slurm's that tell neither signal nor status."""
    if exited := _EXITED.match(said):
        return (int(exited[1]) & 0xFF) << 8
    return _SIGNALS.get(said.removesuffix(" (core dumped)"))


def _ranks(said: str) -> list[int]:
    """0, 1, 2, 5 of `0-2,5`."""
    pairs = (part.partition("-") for part in said.split(","))
    return [rank for first, _, last in pairs if first.isdecimal() for rank in range(int(first), int(last or first) + 1)]
