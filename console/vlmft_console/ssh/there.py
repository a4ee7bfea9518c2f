"""There: the command line of `ssh` that starts a program of vlmft on another machine."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from vlmft_console.sanitize import sanitize
from vlmft_console.ssh.address import Address
from vlmft_core.run_folder.layout import RunLayout

_TOLD: Final = ("COLORTERM", "NO_COLOR")
"""Variables that tell of the terminal, which is here; ssh itself passes on TERM alone."""

# The person's shell there may be any: in single quotes, on one line, without `!` and backslash, this means the same to
# all of them. What varies follows as arguments of its own. A login shell, for else PATH is the bare one of sshd.
_SCRIPT: Final = (
    'for each; do printf -v each %b "$each"; set -- "$@" "$each"; shift; done; '
    'until test "$1" = --; do export "$1"; shift; done; shift; where=$1; shift; '
    "PATH=$PATH:$HOME/.local/bin; "
    'case "$where" in "~"*) where=$HOME${where#"~"};; esac; '
    'if test -z "$where"; then cd; '
    'elif test "$1" = vlmft-console && test -f "$where" -o -f "$where/'
    f'{RunLayout(Path()).run_file.name}"; then set -- "$@" "$where"; '
    'elif cd -- "$where" 2>/dev/null; then :; '
    'else echo "$1: no folder $where on $(hostname) that can be entered" >&2; exit 2; fi; '
    'command -v "$1" >/dev/null || { echo "$1: not on the PATH of a login shell on $(hostname)'
    ' (there: mkdir -p ~/.local/bin; ln -s /PROJECT/.venv/bin/vlmft{,-console} ~/.local/bin)"'
    " >&2; exit 127; }; "
    'exec "$@" 1>&3 3>&-'
)
_APART: Final = 'exec bash -lc "$@" 3>&1 1>&2'
"""What a profile prints is not the program's output: it goes to the errors."""

_DIFFERS: Final = re.compile(r"[\\!'\n]")
"""What some shell (fish, csh) takes for more than itself within single quotes; such goes as octal, and back by `%b`."""


def ssh_command(address: Address, program: str, arguments: Sequence[str], *, terminal: bool) -> list[str]:
    """What to call here.

    Args:
        address: where. A path of `vlmft-console` that is a run or a file is what it opens; any other is the folder that
            the program works in.
        program: `vlmft` or `vlmft-console`.
        arguments: of that program, as they are.
        terminal: whether it gets a terminal there.
    """
    return [
        "ssh",
        "-t" if terminal else "-T",
        *(["-l", address.user] if address.user else []),
        *(["-p", str(address.port)] if address.port else []),
        "--",
        address.host,
        _line(address.path, program, arguments, os.environ if terminal else {}),
    ]


def _line(path: str, program: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    told = [f"{name}={sanitize(environ[name])}" for name in _TOLD if name in environ]
    given = [
        _DIFFERS.sub(lambda found: f"\\0{ord(found[0]):03o}", each) for each in (*told, "--", path, program, *arguments)
    ]
    return shlex.join(["bash", "-c", _APART, "vlmft", _SCRIPT, "vlmft", *given])
