"""Merge job: what is merged, and the folder that is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vlmft_console.errors import RunFolderError
from vlmft_console.paths import obstacle
from vlmft_console.programs.trained import Trained
from vlmft_core.jobs import MergeJob
from vlmft_core.run_folder.layout import RunLayout

MERGED: Final = "merged"


def merge_job(trained: Trained, output: Path | None) -> MergeJob:
    """The job.

    Args:
        trained: a base with an adapter.
        output: the model folder to make; by default one beside the adapter of a run, or in the folder of another one.

    Raises:
        RunFolderError: it is a base alone, or the folder is there already, or cannot be made.
    """
    if trained.adapter is None or trained.folder is None:
        raise RunFolderError(f"{trained.name} is a base model: there is nothing to merge")
    own = not trained.is_run or trained.adapter == RunLayout(trained.folder).adapter
    name = MERGED if own else f"{MERGED}-{trained.adapter.name.rpartition('-')[2]}"
    folder = (output or trained.folder / name).absolute()
    if folder.exists():
        raise RunFolderError(f"{folder} exists already", "choose another folder with -o")
    if why := obstacle(folder.parent):
        raise RunFolderError(why, "choose another folder with -o")
    return MergeJob(preset=trained.preset, adapter=str(trained.adapter), folder=str(folder))
