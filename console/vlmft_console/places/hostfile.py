"""Hosts of a run: `n1:8,n2:8`, or a file as DeepSpeed takes it, with `n1 slots=8` in each line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.home import expanded

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
"""A name that ssh takes, and that is no option, list or command of anything."""
_LARGEST = 1 << 20


def parse_hosts(text: str) -> dict[str, int]:
    """Ranks by host, in the order given.

    Args:
        text: the hosts, or the path of a file.

    Raises:
        VlmftError: it is neither, or names a host twice or without a number of ranks.
    """
    if not text:
        raise VlmftError("--hosts: names no host", "write n1:8,n2:8, or name a file of lines `n1 slots=8`")
    if ":" in text:
        return _counted((part.strip().rpartition(":")[::2] for part in text.split(",")), f"--hosts {text}")
    return parse_hostfile(expanded(text))


def parse_hostfile(path: Path) -> dict[str, int]:
    """Raises:
    VlmftError: as `parse_hosts`, with the file's line.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise VlmftError(
            f"--hosts {path}: no such file", "write n1:8,n2:8, or name a file of lines `n1 slots=8`"
        ) from None
    if len(text) > _LARGEST:
        raise VlmftError(f"{path}: larger than 1 MiB", "a line for each host is enough")
    found: dict[str, int] = {}
    for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        slots = words[1].removeprefix("slots=") if len(words) == 2 and words[1].startswith("slots=") else ""
        for host, count in _counted([(words[0], slots)], f"{path}:{number}").items():
            if host in found:
                raise VlmftError(f"{path}:{number}: {host} is there twice")
            found[host] = count
    if not found:
        raise VlmftError(f"{path}: names no host", "write lines such as `n1 slots=8`")
    return found


def check_hosts(slots: Mapping[str, object], where: str) -> None:
    """Raises:
    VlmftError: a name or a number that cannot be.
    """
    if not _counted(((host, str(count)) for host, count in slots.items()), where):
        raise VlmftError(f"{where}: names no host", "say some, such as {n1: 8, n2: 8}")


def hostfile(slots: Mapping[str, int]) -> str:
    """The file's text."""
    return "".join(f"{host} slots={count}\n" for host, count in slots.items())


def _counted(pairs: Iterable[tuple[str, ...]], where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for host, count in pairs:
        if not _HOST.fullmatch(host):
            raise VlmftError(
                f"{where}: {host or count!r} is no name of a host with a number of ranks", "write n1:8,n2:8"
            )
        if not re.fullmatch(r"[1-9]\d{0,3}", count):
            raise VlmftError(f"{where}: {host}: {count!r} is no number of ranks", "say how many GPUs it has")
        if host in found:
            raise VlmftError(f"{where}: {host} is there twice")
        found[host] = int(count)
    return found
