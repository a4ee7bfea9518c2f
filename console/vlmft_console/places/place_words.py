"""Place words: lines of a place's batch script, its options of srun, and what stands before its Python."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vlmft_console.places.slurm_options import abbreviated
from vlmft_core.errors import VlmftError

_SRUN = frozenset(
    {"error", "gpu-bind", "gpus-per-task", "kill-on-bad-exit", "multi-prog", "nodes", "ntasks", "ntasks-per-node"}
    | {"output", "pty", "test-only", "tres-per-task"}
)
"""Options of srun that vlmft sets, or that would keep it from its ranks, or them from their GPUs."""
_SRUN_LETTERS = "KNeno"
"""The same as letters."""
_DIRECTIVE = re.compile(r"\s*#(?:SBATCH|PBS|BSUB)\b")
"""What begins a line that sbatch takes for options of its own, if it is far enough up in the script."""


def check_srun(options: Sequence[str], where: str) -> None:
    """Refuse options of srun that would change what vlmft tells it, or that srun cannot read.

    Args:
        where: what an error begins with.

    Raises:
        VlmftError: there is one.
    """
    _check_whole(options, where)
    for option in options:
        name = option.removeprefix("--").partition("=")[0]
        if option.startswith("--"):
            if re.search(r"\s", name):
                raise VlmftError(f"{where}: {option!r}: srun gets it as one word", f"write {option.split()[0]}=VALUE")
            ours = name in _SRUN or abbreviated(name, _SRUN) is not None
        else:
            ours = name.startswith("-") and name[1:2] in _SRUN_LETTERS  # else it is the value of the letter before it
        if ours:
            raise VlmftError(f"{where}: {option} is set by vlmft, or would keep it from its ranks", "leave it out")


def check_setup(lines: Sequence[str], where: str) -> None:
    """Refuse lines of a batch script that only sbatch would read, after everything here was checked, and one that would
    swallow what comes after it.

    Args:
        where: what an error begins with.

    Raises:
        VlmftError: there is one.
    """
    if line := next(filter(_DIRECTIVE.match, lines), None):
        raise VlmftError(f"{where}: {line!r} is no line of a shell", "sbatch's options stand under `slurm`")
    if lines and re.search(r"(?<!\\)(\\\\)*\\$", lines[-1]):
        raise VlmftError(f"{where}: {lines[-1]!r} goes on, and no line follows", "take the backslash off its end")


def check_prefix(words: Sequence[str], where: str) -> None:
    """Refuse a program that is none.

    Args:
        where: what an error begins with.

    Raises:
        VlmftError: it is a whole command line in one word, or has what a shell would have replaced.
    """
    _check_whole([word for word in words if not re.search(r"\s", word)], where)  # `bash -c` gets a script
    if words and re.search(r"\s", words[0]) and not Path(words[0]).exists():
        raise VlmftError(f"{where}: {words[0]!r} is one word", "write each by itself: [apptainer, exec, vlmft.sif]")


def _check_whole(words: Sequence[str], where: str) -> None:
    """Refuse what looks as if a shell were to read it."""
    if word := next((word for word in words if re.search(r"(^|[=:,])(~/|\$\w|\$\{)", word)), None):
        raise VlmftError(f"{where}: {word!r}: no shell reads it", "write paths and values in full")
