"""How a run ended. No single witness is believed: DeepSpeed's runner exits 0 even when its launcher was killed."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from vlmft_console.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_MISTAKE
from vlmft_console.history.state import RunState
from vlmft_trainer.events import EARLY_STOPPED, FAILED, FINISHED, STOPPED

CRASHED = "crashed"


@dataclass(frozen=True)
class Verdict:
    """`status` is one of `finished stopped early_stopped failed crashed`; `reason` is empty or one line."""

    status: str
    reason: str
    exit_code: int


def judge(state: RunState, launcher_status: int, alive: Sequence[int] = ()) -> Verdict:
    """Success takes three witnesses: the launcher's exit 0, a `run_end` that says so, and nobody left alive.

    Args:
        state: everything the event log told.
        launcher_status: exit status of DeepSpeed's runner; negative: the signal that killed it.
        alive: processes of the run that outlived the launcher.
    """
    said = state.end["status"] if state.end else None
    reason = str((state.end or {}).get("reason") or "")
    if said in (FINISHED, EARLY_STOPPED, STOPPED) and launcher_status == 0 and not alive:
        return Verdict(said, reason, EXIT_INTERRUPTED if said == STOPPED else 0)
    if said == FAILED:
        return Verdict(FAILED, reason, EXIT_MISTAKE if launcher_status == EXIT_MISTAKE else EXIT_FAILED)
    witnesses = [f"the launcher {_ended(launcher_status)}"]
    if said is None:
        witnesses.append("the event log has no run_end")
    if alive:
        witnesses.append(f"processes {', '.join(map(str, alive))} were still alive")
    return Verdict(CRASHED if said is None else FAILED, "; ".join(witnesses), EXIT_FAILED)


def _ended(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
