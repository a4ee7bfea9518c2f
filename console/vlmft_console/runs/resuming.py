"""Resuming a run, as the command line and the app both do."""

from __future__ import annotations

from dataclasses import replace

from vlmft_console.errors import RunBusyError, RunFolderError, UnconfirmedError
from vlmft_console.places.place import Slurm
from vlmft_console.places.places_file import check_kept
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.hosts_start import check_hosts_here, prepare_hosts
from vlmft_console.runs.preflight import check_libraries, check_machine, free_port
from vlmft_console.runs.status import ELSEWHERE, UNSUPERVISED, status_of
from vlmft_console.runs.submitting import check_submittable, submit
from vlmft_console.runs.supervisor_start import start_supervisor
from vlmft_console.runs.training_command import training_command
from vlmft_core.errors import VlmftError
from vlmft_core.plan.base_files import check_base
from vlmft_core.preset import Preset, load_preset
from vlmft_core.run_folder.checkpoints import Checkpoint, check_ranks, newest_intact
from vlmft_core.run_folder.events import EARLY_STOPPED, FINISHED
from vlmft_core.run_folder.trust import check_own


def check_resumable(folder: RunFolder, *, trust: bool = False, gone: bool = False) -> tuple[Preset, Checkpoint] | None:
    """What a run would go on with.

    Args:
        folder: the run folder.
        trust: go on although others own the folder or may change it, or it names programs that this user's places do
            not: somebody could have put them there.
        gone: the machine that ran it last is gone, and with it whatever lived of the run.

    Returns:
        Its preset, and the newest complete checkpoint; None for an unsupervised run, which only gets a supervisor
        again.

    Raises:
        VlmftError: the run is live, has finished, has no complete checkpoint or one of another number of GPUs, its
            folder is another person's, or this machine lacks what it needs.
    """
    if not trust:
        check_own(folder.path)
    state = status_of(folder, gone=gone)
    if state.state == UNSUPERVISED:
        return None
    if state.state == ELSEWHERE:
        raise RunBusyError(f"{folder.name} is not run from here: {state.reason}")
    if state.live:
        raise RunBusyError(f"{folder.name} is {state.state}: {folder.owner()}")
    if state.state in (FINISHED, EARLY_STOPPED):
        raise RunFolderError(f"{folder.name} has {state.state.replace('_', ' ')}: nothing is left to do")
    newest = newest_intact(folder)
    if newest is None:
        raise RunFolderError(f"{folder.name} has no complete checkpoint", f"delete it: vlmft rm {folder.name}")
    preset = load_preset(folder.preset_file).preset
    check_ranks(newest, preset.hardware.gpus)
    check_base(preset.model.base)
    place = folder.place
    if place is None:
        check_machine(preset)
    else:
        check_kept(place, str(folder.run_file), trust=trust)
        check_libraries()
        if isinstance(place, Slurm):
            check_submittable(place, folder)
        else:
            check_hosts_here(folder)
    return preset, newest


def resume_run(
    folder: RunFolder, *, data_changed: bool = False, trust: bool = False, gone: bool = False
) -> tuple[str, str]:
    """Go on from the newest complete checkpoint, or give an unsupervised run a supervisor again.

    Args:
        folder, trust, gone: as `check_resumable`.
        data_changed: go on although the data is not what it began with.

    Returns:
        What was done, in one line, and a warning that the run may not outlive the logout, or an empty string.

    Raises:
        VlmftError: as `check_resumable`.
    """
    resumable = check_resumable(folder, trust=trust, gone=gone)
    if resumable is None:
        warning = start_supervisor(folder, adopt=True)
        return f"{folder.name} has a supervisor again", warning
    preset, newest = resumable
    place = folder.place
    port = free_port()
    command = training_command(preset, folder, port, place, resume=True, data_changed=data_changed, trust=trust)
    folder.change_command(command)
    if not isinstance(place, Slurm):
        notes = prepare_hosts(place, folder, preset, port) if place is not None else []
        notes.append(start_supervisor(folder))
        return f"{folder.name} goes on from step {newest.step:,}", "; ".join(filter(None, notes))
    folder.put_away_end()  # first: the job may begin before its number is known here
    try:
        placed = submit(replace(place, idle_starts=0), folder)
    except UnconfirmedError:
        raise
    except VlmftError:
        folder.bring_back_end()
        raise
    return f"{folder.name} is in the queue to go on from step {newest.step:,}: job {placed.job}", ""
