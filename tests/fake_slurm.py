"""Slurm's commands as far as they tell and are told things: what they say is set, what they were asked is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from vlmft_console.places import slurm

_COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "srun")


class FakeSlurm:
    """Commands in a folder that is first on the PATH.

    Args:
        folder: where they are kept.
        patch: sets the PATH.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        folder.mkdir()
        for name in _COMMANDS:
            script = folder / name
            script.write_text(
                f'#!/bin/sh\ntest "$SQUEUE_PARTITION$SCANCEL_INTERACTIVE" && exit\n'  # it leaves the job alone
                f'echo "{name} $*" >>"{folder}/asked"\ncat "{folder}/{name}.said" && exit 0\nexit 1\n'
            )
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        patch.delenv("SLURM_CLUSTER_NAME", raising=False)
        self.says("scontrol", "ClusterName = ours\n")
        self.says("scancel", "")

    def says(self, command: str, text: str | None, *, anew: bool = True) -> None:
        """What a command says from now on; with None it fails. Nothing that was said before is remembered then, unless
        this is not to be `anew`."""
        if anew:
            slurm._answers.clear()
            slurm._cluster = None, ""
        said = self._folder / f"{command}.said"
        said.unlink(missing_ok=True)
        if text is not None:
            said.write_text(text)

    def job(self, state: str, name: str, reason: str = "None", start: str = "N/A") -> None:
        """What squeue says of a job."""
        self.says("squeue", f"{state}|{start}|n1|{reason}|vlmft:{name}\n")

    @property
    def asked(self) -> list[str]:
        """Every command line so far."""
        asked = self._folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []
