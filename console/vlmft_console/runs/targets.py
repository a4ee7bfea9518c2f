"""Targets: what a person names on the command line: a run's name, a run folder, or any log."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.paths import recorded_runs
from vlmft_console.runs.registry import find
from vlmft_core.home import expanded


def locate(target: str) -> Path:
    """The path that `target` means: one that is there, else the run of that name, else the recorded run.

    Raises:
        RunFolderError: there is none, or several.
    """
    for path in (Path(target), expanded(target)):
        if target and _named(path):
            return path
    recorded = {run.name: run for run in recorded_runs()}
    return recorded[target] if target in recorded else find(target).path


def at_step(target: str) -> tuple[str, int | None]:
    """The run and the step that `RUN@STEP` means; the target as it stands, and None, where it means none."""
    run, sign, step = target.rpartition("@")
    if not sign or not run or not (step.isascii() and step.isdecimal()) or _named(Path(target)):
        return target, None
    return run, int(step)


def _named(path: Path) -> bool:
    """Whether a path is meant: there is something, be it a link to nowhere or closed to us."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True
