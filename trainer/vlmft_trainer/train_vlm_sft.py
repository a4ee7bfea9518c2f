"""Training program, which DeepSpeed starts once a rank: from a preset to an adapter.

    deepspeed --num_gpus=8 --module vlmft_trainer.train_vlm_sft --sft_config best.yaml --output_dir outputs/best

On a CPU: `DS_ACCELERATOR=cpu deepspeed --num_accelerators=2 --module …`. A user's mistake is one line on standard
error and exit code 2. Rank 0 alone speaks, writes events, and decides the exit code for a mistake: the launcher kills
the others as soon as one rank fails, and rank 0 must have said why by then. Only a rank of another host, where that
host's files are to blame, speaks for itself before all have met.

Slurm may start the ranks instead, one a task:

    srun --kill-on-bad-exit=1 python -m vlmft_trainer.train_vlm_sft --sft_config best.yaml --output_dir outputs/best
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NoReturn

from vlmft_core.errors import EXIT_MISTAKE, VlmftError
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.starting_adapter import starting_adapter
from vlmft_core.run_folder.checkpoints import Checkpoint, check_ranks, newest_intact
from vlmft_core.run_folder.events import FAILED
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.pinned import pinned
from vlmft_core.run_folder.trust import check_own
from vlmft_trainer.distributed.environment import on_first_host, prepare_process
from vlmft_trainer.distributed.slurm import ranks_of_step
from vlmft_trainer.training.options import Job, read_job
from vlmft_trainer.training.plain_log import Forgiving
from vlmft_trainer.training.ranks_lock import hold_lock
from vlmft_trainer.training.run_log import RunLog, open_run_log

LAST_WORDS_SECONDS = 1.0
"""For srun to read what a task wrote last: on busy cores 0.2 were enough for 80 failing starts, while without any the
reason was lost in 13 of 40."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train.

    Returns:
        The exit code: 0, or 2 for a user's mistake.
    """
    log = RunLog(None)
    sys.stdout, sys.stderr = Forgiving(sys.stdout), Forgiving(sys.stderr)
    try:
        os.environ.update(ranks_of_step(os.environ))
    except VlmftError as error:
        if os.environ.get("SLURM_PROCID", "0") == "0":
            print(f"error: {error}", file=sys.stderr, flush=True)
        return EXIT_MISTAKE
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        job = read_job(arguments, world_size)
        check_base(job.preset.model.base)
        if not job.resume:
            starting_adapter(job.preset.lora, job.preset.model.base)
        start = find_start(job, world_size) if rank == 0 else None
        if on_first_host():  # ranks of others do the same once they know that they see the same folder
            if rank != 0:
                find_folder(job)
            hold_lock(job.run)
            job = replace(job, run=pinned(job.run))  # a person may rename the folder while it is written to
        log = open_run_log(job.run, job.preset, rank, world_size, start.step if start else None)
        log.note("loading torch, transformers and deepspeed")
        prepare_process(job.preset.hardware.device)

        from vlmft_trainer.training.train import train  # ten seconds: the log must have begun by then

        outcome = train(job, log, start)
        log.end(**asdict(outcome))
    except VlmftError as error:
        log.end(FAILED, str(error))
        if rank == 0:
            print(f"error: {error}", file=sys.stderr, flush=True)
            return EXIT_MISTAKE
        if on_first_host() or in_group():
            return 0
        print(f"error: {socket.gethostname()}: {error}", file=sys.stderr, flush=True)
        return EXIT_MISTAKE
    except BaseException as error:
        log.end(FAILED, f"{type(error).__name__}: {error}")
        atexit.register(let_srun_read)  # after the traceback
        raise
    finally:
        log.close()
    return 0


def find_start(job: Job, world_size: int) -> Checkpoint | None:
    """The checkpoint to resume from; for a new run none, and a folder for it.

    Raises:
        VlmftError: there is no complete checkpoint, or one of another number of ranks, or the folder cannot be used, or
            it is another person's.
    """
    if not job.resume:
        make_folder(job.run)
        return None
    if job.run.path.exists() and not job.trust:
        check_own(job.run.path)
    start = newest_intact(job.run)
    if start is None:
        raise VlmftError(f"--resume: {job.run.path} holds no complete checkpoint", "start a new run")
    check_ranks(start, world_size)
    return start


def find_folder(job: Job) -> None:
    """What a rank beside rank 0 asks of the run folder before it can know what rank 0 decides.

    Raises:
        VlmftError: as `find_start`, of what can be seen at once.
    """
    if not job.resume:
        make_folder(job.run)
    elif not job.run.path.is_dir():
        raise VlmftError(f"--resume: {job.run.path} holds no complete checkpoint", "start a new run")


def make_folder(run: RunLayout) -> None:
    """Make the run folder, and refuse one that already holds a training's results.

    Raises:
        VlmftError: it does, or it cannot be written to.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        earlier = run.results
    except OSError as error:
        raise VlmftError(f"--output_dir {run.path}: {error.strerror}") from error
    if earlier:
        raise VlmftError(
            f"--output_dir {run.path}: holds {earlier[0].name} of an earlier training",
            "choose another folder, or --resume",
        )
    if not os.access(run.path, os.W_OK):
        raise VlmftError(f"--output_dir {run.path}: cannot be written to")


def in_group() -> bool:
    """Whether this rank has met the others: what is wrong, all of them know then."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.distributed.is_initialized()


def leave(status: int) -> NoReturn:
    """End this process.

    Threads of what the ranks met by may abort an interpreter that shuts down in good order ("terminate called without
    an active exception"): the rank would seem to have crashed, and with it a run that has finished.
    """
    if not in_group():  # else the others are not waited for, either
        atexit._run_exitfuncs()  # the last words of what reports elsewhere, such as W&B
    sys.stdout.flush()
    sys.stderr.flush()
    if status:
        let_srun_read()
    os._exit(status)


def let_srun_read() -> None:
    """Stay until srun has read what was written: it ends a step as soon as a task has failed, and may not know why."""
    if "SLURM_STEP_ID" in os.environ:
        time.sleep(LAST_WORDS_SECONDS)


if __name__ == "__main__":
    leave(main())
