"""Doubts: what of a log is not understood, in words."""

from __future__ import annotations

from typing import Final

from vlmft_core.figures import counted

NEWER: Final = "a newer vlmft wrote this log (version {}): what is new in it is not told"


def doubts_of(newer_version: int | None, rejected: int) -> list[str]:
    """A sentence each.

    Args:
        newer_version: the log's, where it is newer than this program understands.
        rejected: entries that could not be read.
    """
    newer = [] if newer_version is None else [NEWER.format(newer_version)]
    lost = [f"{counted(rejected, 'entry', 'entries')} of the log cannot be read"] if rejected else []
    return newer + lost
