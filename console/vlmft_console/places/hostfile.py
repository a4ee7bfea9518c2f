"""Hosts of a run: `n1:8,n2:8`, or a file as DeepSpeed takes it, with `n1 slots=8` in each line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.home import expanded

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
"""A name that ssh takes, and that is no option, list or command of anything."""
_LARGEST = 1 << 20
_EITHER = "write n1:8,n2:8, or name a file of lines `n1 slots=8`"


def parse_hosts(text: str) -> dict[str, int]:
    """Ranks by host, in the order given.

    Args:
        text: the hosts, or the path of a file.

    Raises:
        VlmftError: it is neither, or names a host twice or without a number of ranks.
    """
    text = text.strip()
    if not text:
        raise VlmftError("--hosts: names no host", _EITHER)
    if ":" not in text:
        return parse_hostfile(expanded(text))
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise VlmftError(f"--hosts {text}: there is a comma too many", "write n1:8,n2:8")
    found = _Found("write n1:8,n2:8")
    for part in parts:
        host, _, count = part.rpartition(":") if ":" in part else (part, "", "")
        found.add(host, count, f"--hosts {text}")
    return found.ranks


def parse_hostfile(path: Path) -> dict[str, int]:
    """How many ranks each host of a hostfile gets, by its name.

    Raises:
        VlmftError: as `parse_hosts`, with the file's line.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise VlmftError(f"--hosts {path}: no such file", _EITHER) from None
    except OSError as error:
        raise VlmftError(f"{path} cannot be read: {error.strerror}") from None
    if len(text) > _LARGEST:
        raise VlmftError(f"{path}: larger than 1 MiB", "a line for each host is enough")
    found = _Found("write lines such as `n1 slots=8`")
    for number, line in enumerate(text.decode("utf-8-sig", errors="replace").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        slots = words[1].removeprefix("slots=") if len(words) == 2 and words[1].startswith("slots=") else ""
        found.add(words[0], slots, f"{path}:{number}")
    if not found.ranks:
        raise VlmftError(f"{path}: names no host", found.hint)
    return found.ranks


def check_hosts(slots: Mapping[str, object], where: str) -> None:
    """Refuse hosts that cannot be, or none at all.

    Raises:
        VlmftError: a name or a number that cannot be.
    """
    found = _Found("say some, such as {n1: 8, n2: 8}")
    for host, count in slots.items():
        found.add(host, str(count), where)
    if not found.ranks:
        raise VlmftError(f"{where}: names no host", found.hint)


def hostfile(slots: Mapping[str, int]) -> str:
    """The file's text."""
    return "".join(f"{host} slots={count}\n" for host, count in slots.items())


class _Found:
    """Ranks by host, as they are read.

    Args:
        hint: how it is written.
    """

    def __init__(self, hint: str) -> None:
        self.hint = hint
        self.ranks: dict[str, int] = {}
        self._names: set[str] = set()

    def add(self, host: str, count: str, where: str) -> None:
        """Take in a host.

        Raises:
            VlmftError: its name or its number cannot be, or it is there already.
        """
        if not _HOST.fullmatch(host):
            named = "give it a name in ~/.ssh/config" if re.fullmatch(r"\S*[@:\[%]\S*", host) else self.hint
            raise VlmftError(f"{where}: {host!r} is no name of a host", named)
        if not re.fullmatch(r"[1-9][0-9]{0,3}", count.strip()):
            raise VlmftError(f"{where}: {host}: {count.strip()!r} is no number of ranks", self.hint)
        name = host.lower().rstrip(".")
        if name in self._names:
            raise VlmftError(f"{where}: {host} is there twice")
        self._names.add(name)
        self.ranks[host] = int(count)
