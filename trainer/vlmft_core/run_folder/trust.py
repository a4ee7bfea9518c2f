"""Trust: whose a folder is. What is loaded from a run folder can run as the one who loads it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from vlmft_core.errors import VlmftError

_ROOT = 0
"""Can do anything anyway: what is root's is trusted."""


def check_own(*paths: Path, inside: bool = True) -> None:
    """Refuse files and folders that another person owns or may change.

    Links are followed: what counts is what would be loaded. The folders above are not looked at.

    Args:
        inside: refuse a folder for what is in it, too.

    Raises:
        VlmftError: another person does.
        OSError: something is not there, or closed to us.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        _check(path, seen, inside)


def _check(path: Path, seen: set[tuple[int, int]], inside: bool) -> None:
    info = path.lstat()
    told = [info]
    if stat.S_ISLNK(info.st_mode) and path.exists():  # one that leads nowhere leads to nothing that could be loaded
        info = path.stat()
        told.append(info)
    for info in told:
        if info.st_uid not in (os.geteuid(), _ROOT):
            raise VlmftError(
                f"{path} belongs to {_user(info.st_uid)}: what is loaded from it can run as you",
                "--trust takes it all the same",
            )
        if not stat.S_ISLNK(info.st_mode) and _others_write(info):
            raise VlmftError(
                f"{path} can be changed by others (mode {stat.S_IMODE(info.st_mode):o}): what is loaded from it can"
                " run as you",
                f"chmod -R go-w {path}, or --trust takes it all the same",
            )
    if inside and stat.S_ISDIR(info.st_mode) and (info.st_dev, info.st_ino) not in seen:
        seen.add((info.st_dev, info.st_ino))
        for entry in sorted(path.iterdir()):
            _check(entry, seen, inside)


def _others_write(info: os.stat_result) -> bool:
    if info.st_mode & stat.S_IWOTH:
        return True
    return bool(info.st_mode & stat.S_IWGRP) and not _private_group(info.st_gid, info.st_uid)


def _private_group(group: int, user: int) -> bool:
    """Whether a group has its one user's name and no other member, as many systems make one for each user."""
    try:
        found, name = grp.getgrgid(group), _user(user)
    except KeyError:
        return False
    return found.gr_name == name and not set(found.gr_mem) - {name}


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
