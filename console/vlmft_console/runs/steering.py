"""Steering: to stop and delete a run, as the command line and the app both do.

Only the run's locks and its exit record are looked at, so that a log of any length costs nothing."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.errors import RunFolderError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.leaving_queue import leave_queue
from vlmft_console.runs.status import ELSEWHERE, QUEUED, UNSUPERVISED, status_of
from vlmft_core.durable import delete
from vlmft_core.run_folder.stop import StopRequest


def stop_run(folder: RunFolder, request: StopRequest) -> None:
    """Ask a live run to stop. It goes on for as long as its checkpoint takes.

    Raises:
        RunFolderError: the run is not live; or it is asked, but has no supervisor that could make its ranks obey.
    """
    state = status_of(folder)
    if not state.live:
        raise RunFolderError(f"{folder.name} is not running: it is {state.state}")
    if state.state == ELSEWHERE:
        raise RunFolderError(f"{folder.name} is not run from here: {state.reason}")
    try:
        request.write(folder)
    except OSError as error:
        raise RunFolderError(f"{folder.stop_file} cannot be written: {error.strerror}") from None
    if state.state == QUEUED:
        leave_queue(folder, request)
    if state.state == UNSUPERVISED:
        raise RunFolderError(
            f"{folder.name} has no supervisor that could end its ranks",
            "they were asked to save a checkpoint and end by themselves; "
            f"`vlmft resume {folder.name}` gives it a supervisor again",
        )


def check_deletable(folder: RunFolder, *, gone: bool = False) -> None:
    """Refuse to delete a run that is, or may be, live.

    Args:
        gone: the machine that ran it last is gone, and with it whatever lived of the run.

    Raises:
        RunFolderError: it is live, or its folder is a symbolic link.
    """
    state = status_of(folder, gone=gone)
    if state.state == ELSEWHERE:
        raise RunFolderError(f"{folder.name} may be live: {state.reason}")
    if state.live:
        raise RunFolderError(f"{folder.name} is {state.state}", "stop it first: vlmft stop " + folder.name)
    # Whatever is said of its end. A supervisor without its lock has nothing more to do with the run.
    if alive := [role for role in folder.alive() if role != "supervisor"]:
        raise RunFolderError(f"{folder.name} is {state.state}, but {', '.join(alive)} live", "end them first")
    if folder.path.is_symlink():
        raise RunFolderError(f"{folder.path} is a symbolic link")


def delete_run(folder: RunFolder, *, gone: bool = False) -> Path:
    """Delete the run folder with its checkpoints and its adapter, and return where it was.

    Raises:
        RunFolderError: as `check_deletable`, or something in it cannot be deleted.
    """
    check_deletable(folder, gone=gone)
    try:
        delete(folder.path.absolute())  # `.` could be emptied, and not deleted
    except OSError as error:
        raise RunFolderError(f"{folder.path} cannot be deleted: {error.strerror}") from None
    return folder.path
