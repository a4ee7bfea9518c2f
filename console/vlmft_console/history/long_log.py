"""Long log: how much of an event log is worth a summary, and how much that has come since is worth another."""

from __future__ import annotations

LEAST = 8 << 20
"""Bytes of a log that are worth one: they take a quarter of a second to read."""
_SHARE = 16
"""Another is made when this part of the log is new."""


def much_is_new(read: int, before: int, *, over: bool = False) -> bool:
    """Whether a summary should be made.

    Args:
        read: bytes of the log that it would stand for.
        before: those that the latest one stands for; 0 where there is none.
        over: whether no more is to come: then anything is much.
    """
    return read >= LEAST and read - before >= (1 if over else max(LEAST, read // _SHARE))
