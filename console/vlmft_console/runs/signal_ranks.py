"""Signal ranks: those of one run on this host, where its supervisor is on another one. Started there by pdsh.

`python -m vlmft_console.runs.signal_ranks RUN_ID TERM`; KILL goes to all processes of the run.
"""

from __future__ import annotations

import signal
import sys

from vlmft_console.runs.processes import of_run, rank_info, send_all


def signal_ranks(run_id: str, number: signal.Signals) -> None:
    """Signal every rank of a run on this host; with KILL also what started them."""
    found = [seen.identity for seen in of_run(run_id)]
    ranks = [who for who in found if rank_info(who.pid).rank is not None]
    send_all(ranks, number)
    if number is signal.SIGKILL:
        send_all(found, number)


if __name__ == "__main__":
    signal_ranks(sys.argv[1], signal.Signals[f"SIG{sys.argv[2]}"])
