"""Logout: what it does to processes left behind, and how a run gets out of its way.

A session of its own does not leave the login's control group, which systemd-logind may kill as a whole.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd")
"""Where settings are looked for; the first that has a file of some name wins over the others."""
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_FALSE = frozenset({"0", "no", "n", "false", "f", "off"})
_SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect")
_ANSWER_SECONDS = 10.0
_REMEDY = "run `loginctl enable-linger`, or ask the administrator to"


def outlive_logout(user: str, root: Path = Path("/")) -> tuple[tuple[str, ...], str]:
    """How a program of `user` survives the logout.

    Args:
        user: login name.
        root: where the system's files are.

    Returns:
        What to put before its command (nothing where a logout does no harm), and a line for the user when that is
        not enough, else an empty string. `systemd-run --scope` moves itself into the scope and then executes the
        command in its place: the process id stays.
    """
    if not kills(user, root):
        return (), ""
    if not _manager_answers():
        return (), f"this machine ends all processes at logout, this run too: stay logged in, or {_REMEDY}"
    if not lingers(user, root):
        # The user manager itself ends with the last session of a user who does not linger, and with it the scope.
        return _SCOPE, f"the run ends when you have logged out of your last session; {_REMEDY}"
    return _SCOPE, ""


def login_name() -> str:
    """The user's name as systemd-logind knows it; the number of a user that no database names, as in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def kills(user: str, root: Path = Path("/")) -> bool:
    """Whether systemd-logind kills the processes of a session of `user` at its logout; see logind.conf(5)."""
    if not (root / "run/systemd/system").is_dir():  # the test of sd_booted(3)
        return False
    kill = False
    excluded: list[str] | None = None
    only: list[str] = []
    for key, value in _settings(root):
        if key == "KillUserProcesses" and value.lower() in _TRUE | _FALSE:
            kill = value.lower() in _TRUE
        elif key == "KillExcludeUsers":
            excluded = [*(excluded or []), *value.split()] if value else []
        elif key == "KillOnlyUsers":
            only = [*only, *value.split()] if value else []
    if user in (["root"] if excluded is None else excluded):
        return False
    return user in only if only else kill


def lingers(user: str, root: Path = Path("/")) -> bool:
    """Whether the user's manager goes on after the last logout."""
    return (root / "var/lib/systemd/linger" / user).exists()


def _settings(root: Path) -> Iterator[tuple[str, str]]:
    """What is set under `[Login]`, in the order in which it counts: the main file, then drop-ins by name."""
    main = [root / folder / "logind.conf" for folder in _FOLDERS]
    yield from _login_section(next((path for path in main if path.exists()), main[0]))
    drop_ins: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in (root / folder / "logind.conf.d").glob("*.conf"):
            drop_ins.setdefault(path.name, path)
    for name in sorted(drop_ins):
        yield from _login_section(drop_ins[name])


def _login_section(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # missing, or not ours to read: as if it said nothing
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Login]" and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def _manager_answers() -> bool:
    """Whether a scope can be made: systemd-run is there, and the user has a manager that can be reached."""
    try:
        tried = subprocess.run(
            [*_SCOPE, "true"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
