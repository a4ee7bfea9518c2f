"""Verdict: how a run ended. No single witness is believed: DeepSpeed exits 0 even when its launcher was killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vlmft_console.runs.family import RankEnd
from vlmft_console.runs.processes import describe_exit
from vlmft_core.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_MISTAKE
from vlmft_core.figures import counted
from vlmft_core.run_folder.events import EARLY_STOPPED, FAILED, FINISHED, STOPPED, Record
from vlmft_core.run_folder.stop import StopRequest

CRASHED = "crashed"
ADOPTED = "adopted after its supervisor was killed"
"""What the reason of an adopted run begins with."""


@dataclass(frozen=True)
class Verdict:
    """`status` is one of `finished stopped early_stopped failed crashed`; `reason` is empty or one line."""

    status: str
    reason: str
    exit_code: int


def judge(
    run_end: Record | None,
    launcher_status: int | None,
    ends: Iterable[RankEnd] = (),
    orphans: Sequence[int] = (),
    request: StopRequest | None = None,
    *,
    checkpoint: int | None = None,
    adopted: bool = False,
    unseen: Sequence[int] = (),
) -> Verdict:
    """Success takes three witnesses: the launcher's exit 0, a `run_end` that says so, and no rank left behind or never
    seen.

    Args:
        run_end: the log's last word, if it has one.
        launcher_status: exit status of DeepSpeed's runner as `waitpid` gives it; None when it could not be ended.
        ends: how each rank ended that did.
        orphans: ranks that outlived the launcher.
        request: the stop request that was carried out, if the run was going well until then.
        checkpoint: step of the newest checkpoint that a resume could go on from.
        adopted: the supervisor is not the launcher's parent, so that only the other two witnesses can be heard;
            `launcher_status` is None then.
        unseen: ranks that there should have been and nobody ever saw.
    """
    said = str(run_end["status"]) if run_end else None
    reason = str((run_end or {}).get("reason") or "")
    good = said in (FINISHED, EARLY_STOPPED, STOPPED)
    first = ADOPTED if adopted else None
    ends = list(ends)
    culprit = _culprit(ends, 0 if adopted and good else launcher_status, unseen)
    if said and good and (adopted or launcher_status == 0) and not orphans and not unseen and culprit is None:
        return Verdict(said, _line(first, reason), EXIT_INTERRUPTED if said == STOPPED else 0)
    if not adopted and _is_mistake(launcher_status, ends):
        return Verdict(FAILED, reason or "the training program refused to start; its log says why", EXIT_MISTAKE)
    if said == FAILED:
        return Verdict(FAILED, _line(first, culprit, reason), EXIT_FAILED)
    if request is not None:
        kept = "there is no checkpoint to resume from" if checkpoint is None else f"step {checkpoint:,} is kept"
        return Verdict(STOPPED, _line(first, f"ended at once by {request.reason}", kept), EXIT_INTERRUPTED)
    launcher = None
    if not adopted and launcher_status is None:
        launcher = "the launcher could not be ended"
    elif launcher_status is not None and (not culprit or launcher_status == 0):
        launcher = f"the launcher {describe_exit(launcher_status)}"
    left = f"it left ranks behind: {', '.join(map(str, orphans))}" if orphans else None
    never = f"{counted(len(unseen), 'rank')} never seen" if unseen else None
    silent = "the event log has no run_end" if said is None else None
    return Verdict(
        CRASHED if said is None else FAILED, _line(first, culprit, launcher, left, never, silent), EXIT_FAILED
    )


def _is_mistake(launcher_status: int | None, ends: Iterable[RankEnd]) -> bool:
    """Whether the training program said by its exit status that the user has something to mend."""
    statuses = [launcher_status, *(end.status for end in ends if not end.signalled)]
    return EXIT_MISTAKE << 8 in statuses


def _line(*parts: str | None) -> str:
    return "; ".join(part for part in parts if part)


def _culprit(ends: Iterable[RankEnd], launcher_status: int | None, unseen: Sequence[int]) -> str | None:
    """The first rank that died of itself, and of what."""
    blamed = [end for end in ends if not end.signalled and not end.clean]
    told = _told_by_launcher(launcher_status)
    # One was killed before anybody saw it, and those that were seen to be killed were so by their launcher.
    which = f"{'rank' if len(unseen) == 1 else 'one of the ranks'} {', '.join(map(str, unseen))}"
    if unseen and told and all(end.status and os.WTERMSIG(end.status) != told for end in blamed):
        return f"{which} was killed by {told.name}"
    if unseen and blamed and not told and all(end.status == signal.SIGTERM for end in blamed):
        return f"{which} was gone before it was seen"
    # One that vanished unseen is to blame only if the launcher says that a rank failed.
    if not (launcher_status is None or os.waitstatus_to_exitcode(launcher_status) > 0):
        blamed = [end for end in blamed if end.status is not None]
    if not blamed:
        return None
    first = min(blamed, key=lambda end: end.order)
    if first.status is not None:
        where = f" on {first.host}" if first.host else ""
        return f"rank {first.rank}{where} {describe_exit(first.status)}"
    return f"rank {first.rank} {f'was killed by {told.name}' if told else 'ended, how is not known'}"


def _told_by_launcher(status: int | None) -> signal.Signals | None:
    """The signal that killed a rank, says the launcher: DeepSpeed's exits with minus its number, of which a byte is
    left."""
    code = os.waitstatus_to_exitcode(status) if status is not None else 0
    return signal.Signals(256 - code) if 256 - code in {number.value for number in signal.Signals} else None
