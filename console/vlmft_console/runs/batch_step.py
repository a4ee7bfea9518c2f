"""Batch step: the supervisor of a run as a Slurm job, and whether the job goes back into the queue after it.

Started as `python -m vlmft_console.runs.batch_step FOLDER` by the job's script, anew each time that Slurm starts the
job. What was ended by the system (a time limit, a job with more right to the nodes, a lost node) goes on by itself;
what a person ended does not.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from vlmft_console.errors import UnansweredError
from vlmft_console.figures import clock
from vlmft_console.places import slurm
from vlmft_console.places.place import Slurm
from vlmft_console.runs.exit_record import ExitFile
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import acquire, held
from vlmft_console.runs.node_check import ask
from vlmft_console.runs.supervisor import supervise
from vlmft_console.runs.training_command import srun, training_command
from vlmft_console.runs.verdict import Verdict
from vlmft_core.durable import delete, read_json
from vlmft_core.errors import EXIT_BUSY, EXIT_INTERRUPTED, EXIT_MISTAKE, VlmftError
from vlmft_core.preset import load_preset
from vlmft_core.run_folder.checkpoints import newest_intact, remove
from vlmft_core.run_folder.events import EARLY_STOPPED, FAILED, FINISHED, STOPPED
from vlmft_core.run_folder.stop import StopRequest
from vlmft_core.slurm_port import port_of_job

LEFTOVER_SECONDS = 300.0
"""How long ranks of an earlier start are waited for: those of a node that was lost end when it is found again."""
ASK_AGAIN_SECONDS = 20.0
"""Before nodes that let this job start once, and now say nothing, are asked again: Slurm ends whatever it finds on a
node that it takes back."""
ASKED = 3
IDLE_STARTS = 3
"""How often in a row a job may go back into the queue without a new checkpoint."""


def batch_step(folder: RunFolder) -> int:
    """One start of the job. Returns its exit status: the run's.

    Raises:
        VlmftError: what stands in the folder is no run of a cluster.
    """
    place = folder.place
    if not isinstance(place, Slurm):
        raise VlmftError(f"{folder.path} is not a run of a cluster")
    job, before = os.environ["SLURM_JOB_ID"], int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    place = replace(place, job=job, cluster=os.environ.get("SLURM_CLUSTER_NAME") or place.cluster)
    folder.change_place(place)
    ended = read_json(folder.exit_file)
    if ended is not None and ended.get("status") in (FINISHED, EARLY_STOPPED):
        print(f"{folder.name} has {ended['status'].replace('_', ' ')}: nothing is left to do", flush=True)
        return 0
    if not _alone(folder):
        print(f"{folder.path} has living ranks of an earlier start: {folder.owner()}", flush=True)
        return EXIT_BUSY
    if _stopped_by_person(folder):
        return EXIT_INTERRUPTED
    delete(folder.stop_file)
    folder.keep_earlier_end()
    if before:
        _begin_again(folder, place)
    if "SLURM_CPUS_PER_TASK" in os.environ:  # srun itself no longer takes it from sbatch's options
        os.environ["SRUN_CPUS_PER_TASK"] = os.environ["SLURM_CPUS_PER_TASK"]
    try:
        _check_nodes_patiently(folder, place, ASKED if before else 1)
    except VlmftError as error:
        _end(folder, Verdict(FAILED, str(error), EXIT_MISTAKE))
        return EXIT_MISTAKE
    if _stopped_by_person(folder):
        return EXIT_INTERRUPTED
    step = _newest(folder)
    code = supervise(folder, job=job)
    _go_back(folder, place, before, progress=_newest(folder) > step)
    return code


def _alone(folder: RunFolder) -> bool:
    """Wait for what is left of an earlier start to end; False where it does not."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while held(folder.ranks_lock) or held(folder.lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def _stopped_by_person(folder: RunFolder) -> bool:
    """Whether a person asked for a stop before anything was started; that is the end of the run then."""
    request = _asked_by_person(folder)
    if not request:
        return False
    _end(folder, Verdict(STOPPED, f"ended by {request.reason} before it was started", EXIT_INTERRUPTED))
    return True


def _asked_by_person(folder: RunFolder) -> StopRequest | None:
    request = StopRequest.read(folder)
    return request if request is not None and request.signal is None else None


def _check_nodes_patiently(folder: RunFolder, place: Slurm, times: int) -> None:
    """As `_check_nodes`, up to so often as long as nodes do not answer and no person asks for a stop."""
    for left in reversed(range(times)):
        try:
            _check_nodes(folder, place)
            return
        except UnansweredError as error:
            if not left or StopRequest.read(folder) is not None:
                raise
            print(f"{error}; they are asked again in {clock(ASK_AGAIN_SECONDS)}", flush=True)
            time.sleep(ASK_AGAIN_SECONDS)


def _check_nodes(folder: RunFolder, place: Slurm) -> None:
    """Ask every node whether all is well there.

    Raises:
        VlmftError: something on one of the nodes is not as it has to be.
    """
    lock = acquire(folder.lock)
    try:
        preset = load_preset(folder.preset_file).preset
        first = os.environ["SLURMD_NODENAME"]
        port = int(os.environ.get("MASTER_PORT") or port_of_job(place.job))
        ranks = {
            first if number == 0 else str(number): preset.hardware.gpus // place.hosts for number in range(place.hosts)
        }
        python = srun(place, place.hosts)
        for note in ask(folder, preset, lambda arguments: [*python, *arguments], first=first, port=port, ranks=ranks):
            print(f"note: {note}", flush=True)
    finally:
        if lock is not None:
            os.close(lock)


def _begin_again(folder: RunFolder, place: Slurm) -> None:
    """Have the next start go on from the newest complete checkpoint; without one, leave no half of one in its way."""
    preset = load_preset(folder.preset_file).preset
    found = newest_intact(folder)
    if found is None:
        for path in folder.checkpoints:
            remove(path)
    earlier = folder.command().argv
    kept = {name: f"--{name}" in earlier for name in ("data_changed", "trust")}
    folder.change_command(training_command(preset, folder, 0, place, resume=found is not None, **kept))


def _newest(folder: RunFolder) -> int:
    newest = newest_intact(folder)
    return newest.step if newest else -1


def _go_back(folder: RunFolder, place: Slurm, before: int, *, progress: bool) -> None:
    """Put the job back into the queue if it was the system that ended it, and if that is of use."""
    ended = read_json(folder.exit_file) or {}
    if ended.get("status") in (FINISHED, EARLY_STOPPED) or ended.get("exit_code") == EXIT_MISTAKE:
        return
    if _asked_by_person(folder):
        return
    try:
        state, restarts = slurm.restarts(place.job)
        mine = restarts == before  # else Slurm has put it back itself
        if mine and (ended.get("status") != STOPPED or state != "RUNNING"):  # it failed; or it was cancelled
            return
        starts = 0 if progress else place.idle_starts + 1
        if mine and starts >= IDLE_STARTS:
            raise VlmftError(f"{starts} starts in a row brought it no further", "give it more time")
        folder.change_place(replace(place, idle_starts=starts))
        if _asked_by_person(folder):  # while Slurm took its time to answer
            return
        # First: once it is back in the queue, Slurm ends what is left of this start, and may begin the next.
        delete(folder.stop_file)
        folder.keep_earlier_end()
        if mine:
            slurm.requeue(place.job)
    except (VlmftError, OSError) as error:
        print(f"the job does not go back into the queue: {error}", flush=True)
        reason = f"{ended.get('reason')}; not put back into the queue: {error}"
        _end(folder, Verdict(str(ended.get("status")), reason, int(ended.get("exit_code") or EXIT_INTERRUPTED)))
        return
    print("the job is back in the queue", flush=True)


def _end(folder: RunFolder, verdict: Verdict) -> None:
    ExitFile(folder).write(verdict, ())


if __name__ == "__main__":
    try:
        sys.exit(batch_step(RunFolder(Path(sys.argv[1]))))
    except (VlmftError, OSError) as error:
        print(f"error: {error}", flush=True)
        sys.exit(EXIT_MISTAKE)
