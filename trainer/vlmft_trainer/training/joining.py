"""Joining a run: every rank, on whatever host, finds the folder that rank 0 writes to, and goes on from where rank 0
decided to."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from dataclasses import replace

from vlmft_core.durable import as_json, delete, read_json, write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.pinned import pinned
from vlmft_trainer.distributed import ranks
from vlmft_trainer.distributed.environment import on_first_host
from vlmft_trainer.training.options import Job
from vlmft_trainer.training.ranks_lock import hold_lock

SEEN_SECONDS = 60.0
"""How long another host may take to see a new file: NFS asks again for what a folder holds after that (`acdirmax`)."""


def join(job: Job, start: Checkpoint | None) -> tuple[Job, Checkpoint | None]:
    """Agree with all other ranks on the folder and the start. Every rank calls it, in the group of all.

    Args:
        job: on the first host, with a folder that is pinned and whose lock is held; elsewhere both are done here.
        start: what rank 0 decided; the others' is not looked at.

    Raises:
        VlmftError: a host does not see rank 0's folder; all ranks raise it.
    """
    check_shared(job.run)
    if not on_first_host():
        hold_lock(job.run)
        job = replace(job, run=pinned(job.run))
    return job, ranks.gather(start)[0]


def check_shared(run: RunLayout, seconds: float = SEEN_SECONDS) -> None:
    """Have rank 0 leave a token in the run folder, and every rank read it. Every rank calls it.

    Args:
        seconds: how long to wait for it to be seen.

    Raises:
        VlmftError: a rank does not see it, or sees another one; the message names the rank's host.
    """
    if ranks.world_size() == 1:
        return
    token = ranks.gather(secrets.token_hex(8))[0]
    if ranks.rank() == 0:
        write_whole(run.token_file, as_json({"token": token}))
    ranks.barrier()
    here = socket.gethostname()
    try:
        for host in ranks.gather(None if _sees(run, token, seconds) else here):
            if host is not None:
                raise VlmftError(
                    f"{host} does not see the run folder {run.path.resolve()} of the first host",
                    "--output_dir has to be on a file system that all hosts share, by the same path",
                )
    finally:
        if ranks.rank() == 0:
            delete(run.token_file)


def _sees(run: RunLayout, token: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            list(run.path.iterdir())  # has NFS look again; asked for a file that is not there, it remembers that
            if (read_json(run.token_file) or {}).get("token") == token:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
