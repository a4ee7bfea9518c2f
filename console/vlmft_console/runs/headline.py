"""Headline: what is said of a run beside its figures, its state in a word with a reason or a count-down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vlmft_console.figures import clock
from vlmft_console.runs.ladder import NOW_SECONDS, TERM_SECONDS
from vlmft_console.runs.status import RECORDED, STARTING, STOPPING, RunStatus
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.stop import StopRequest

GROWING = "growing"
"""A log of another program to which something was added a moment ago."""
LAST_OF_SEVERAL: Final = "the last of several trainings in this log"
READING = "reading"
"""A log that has not been read to its end yet."""


@dataclass(frozen=True)
class Headline:
    """What the top of a run's screen says.

    Attributes:
        word: the state, such as `running`.
        name: of the run or the log.
        remark: a reason or a count-down; may be empty.
        now: unix time up to which the clock runs; None for a run that has ended or was recorded.
        sign: how the state is written and its role, where it is none of a run's own.
        adapter: where the run's adapter is; empty while there is none.
        launched: unix time at which a run that is still starting was launched.
    """

    word: str
    name: str
    remark: str = ""
    now: float | None = None
    sign: tuple[str, str] | None = None
    adapter: str = ""
    launched: float | None = None


def headline(
    name: str,
    status: RunStatus | None,
    end: Record | None,
    now: float,
    *,
    asked: StopRequest | None = None,
    growing: bool = False,
    one_of_several: bool = False,
    adapter: str = "",
    launched: float | None = None,
) -> Headline:
    """The headline of a run, or of a log that no run folder belongs to.

    Args:
        name: of the run or the log.
        status: the run's; None for a log alone.
        end: the log's `run_end`, if it has one.
        now: unix time.
        asked: the stop request, if there is one.
        growing: whether something was added to the log a moment ago.
        one_of_several: whether the log holds other trainings before this one.
        adapter: where the run's adapter is; empty while there is none.
        launched: unix time at which the run was launched last.
    """
    if status is None:
        which = LAST_OF_SEVERAL if one_of_several else ""
        if growing:
            return Headline(GROWING, name, which, sign=("● growing", "good"))
        reason = str((end or {}).get("reason") or "")
        return Headline(end["status"] if end else RECORDED, name, ", ".join(filter(None, [reason, which])))
    remark = status.reason
    if status.state == STOPPING and asked is not None:
        remark = countdown(asked, now - asked.t)
    began = launched if status.state == STARTING else None
    return Headline(status.state, name, remark, now if status.live else None, adapter=adapter, launched=began)


def countdown(request: StopRequest, waited: float) -> str:
    """What the stop ladder does now, and when it goes on.

    Args:
        request: what was asked for.
        waited: seconds since then.
    """
    term = 0.0 if request.now else request.patience
    kill = NOW_SECONDS if request.now else request.patience + TERM_SECONDS
    if waited < term:
        return f"saving a checkpoint; ended without one in {clock(term - waited)}"
    if waited < kill:
        return f"told to end (TERM), killed in {clock(kill - waited)}"
    return "killed"
