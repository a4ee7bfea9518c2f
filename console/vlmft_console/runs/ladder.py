"""Stop ladder: which signal is due, and when. Pure, so that it can be tested without waiting.

The first rung is the patience of the stop request: the ranks save a checkpoint and end by themselves.
"""

from __future__ import annotations

import signal

from vlmft_core.run_folder.stop import StopRequest

TERM_SECONDS = 60.0
"""Second rung: from TERM to KILL."""
NOW_SECONDS = 5.0
"""From TERM to KILL when the stop shall be at once."""
FAILED_TERM_SECONDS = 1.0
"""After a rank died the others can only wait for it: they get this long to end by themselves, …"""
FAILED_KILL_SECONDS = 2.5
"""… and are killed after this."""


def due(request: StopRequest | None, asked: float | None, failed: float | None) -> signal.Signals | None:
    """The signal that living ranks should have had by now.

    Args:
        request: the stop request, if there is one.
        asked: seconds since the request was seen in its present form.
        failed: seconds since a rank or the launcher died of itself; outranks the request.
    """
    if failed is not None:
        return _after(failed, FAILED_TERM_SECONDS, FAILED_KILL_SECONDS)
    if request is None or asked is None:
        return None
    if request.now:
        return _after(asked, 0.0, NOW_SECONDS)
    return _after(asked, request.patience, request.patience + TERM_SECONDS)


def _after(elapsed: float, term: float, kill: float) -> signal.Signals | None:
    if elapsed >= kill:
        return signal.SIGKILL
    return signal.SIGTERM if elapsed >= term else None
