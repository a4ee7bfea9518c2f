"""pdsh: a program on every host at once, over the user's own ssh; DeepSpeed starts ranks that way, too."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from vlmft_console.errors import MachineError
from vlmft_core.errors import VlmftError

_PASSED = re.compile(r"PYTHON(PATH|SAFEPATH)|HF_(HOME|HUB_CACHE|DATASETS_CACHE|HUB_OFFLINE|DATASETS_OFFLINE)")
"""Variables that go with a program. None that may hold a secret: they would stand in everybody's list of processes."""
_TAKEN = re.compile(r"[\w@+=:,./-]+")
"""What a path may hold: neither pdsh nor DeepSpeed quotes it."""


def check_commands() -> None:
    """Refuse a machine without the programs that start others on other hosts.

    Raises:
        MachineError: no program could be started on other hosts from here.
    """
    missing = [name for name in ("pdsh", "ssh") if shutil.which(name) is None]
    if missing:
        raise MachineError(f"--hosts needs {' and '.join(missing)}", "apt install pdsh openssh-client, or the like")


def check_path(path: Path) -> None:
    """Refuse a path that does not reach other hosts as it is.

    Raises:
        VlmftError: a path that does not reach other hosts as it is.
    """
    for name in (str(path), sys.executable):
        if not _TAKEN.fullmatch(name):
            raise VlmftError(
                f"{name}: pdsh cannot take such a path", "use letters, digits and any of @ + = : , . / - _"
            )


def environment() -> dict[str, str]:
    """What pdsh and the ssh below it are told: never ask anybody anything, and do not wait for ever."""
    quiet = "-o BatchMode=yes -o ConnectTimeout=15"
    appended = os.environ.get("PDSH_SSH_ARGS_APPEND", "")
    return {"PDSH_RCMD_TYPE": "ssh", "PDSH_SSH_ARGS_APPEND": f"{quiet} {appended}".strip()}


def passed() -> dict[str, str]:
    """Variables of this process that programs on other hosts get."""
    return {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}


def python_on(hosts: Iterable[str], arguments: Sequence[str]) -> list[str]:
    """A command line that runs this Python with these arguments on every host; each line that it prints begins with
    the host's name."""
    said = [f"{name}={value}" for name, value in passed().items()]
    there = shlex.join(["env", *said, sys.executable, "-P", *arguments])
    # Left to itself it has 32 hosts at a time: those that do not answer would have others wait for a KILL.
    named = list(hosts)
    # pdsh itself looks for %h, %n and %u.
    return ["pdsh", "-S", "-f", str(len(named)), "-w", ",".join(named), there.replace("%", "%%")]
