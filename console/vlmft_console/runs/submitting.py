"""Submitting: a run into a cluster's queue, where a batch step of the job is its supervisor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vlmft_console.errors import RunFolderError, UnconfirmedError
from vlmft_console.places import slurm
from vlmft_console.places.place import Slurm
from vlmft_console.places.slurm import UNNAMED
from vlmft_console.places.slurm_options import check_environment, notice_seconds
from vlmft_console.runs.folder import RunFolder
from vlmft_core.durable import write_whole
from vlmft_core.errors import VlmftError

_READ_SECONDS = 10.0


def sbatch_arguments(place: Slurm, folder: RunFolder) -> list[str]:
    """sbatch's options for a run: vlmft's, then the user's."""
    ours = [
        "--requeue",
        "--open-mode=append",
        f"--job-name={slurm.job_name(folder.name)}",
        f"--output={_literal(folder.batch_log.absolute())}",
        *([f"--signal=B:TERM@{notice_seconds(place.options)}"] if "signal" not in place.options else []),
    ]
    return [*ours, *(f"--{name}={value}" if value else f"--{name}" for name, value in place.options.items())]


def batch_script(place: Slurm, folder: RunFolder) -> str:
    """What the job runs on its first node."""
    program = (sys.executable, "-P", "-m", "vlmft_console.runs.batch_step", str(folder.path.absolute()))
    return "\n".join(["#!/bin/bash", *place.setup, f"exec {shlex.join(program)}", ""])


def submission_text(place: Slurm, folder: RunFolder) -> str:
    """The submission, to be pasted into a shell."""
    return f"{shlex.join(['sbatch', *sbatch_arguments(place, folder)])} <<'END'\n{batch_script(place, folder)}END"


def check_submittable(place: Slurm, folder: RunFolder) -> str:
    """Ask sbatch what it thinks of a job, submitting none.

    Returns:
        When and where it would start.

    Raises:
        VlmftError: there is no Slurm here, bash cannot read the job's script, or sbatch refuses the job, in their own
            words.
    """
    slurm.check_commands()
    check_environment()
    if place.setup:
        _check_script(batch_script(place, folder))
    return slurm.expected_start([*sbatch_arguments(place, folder), "--wrap=true"], Path.cwd())


def _check_script(script: str) -> None:
    """Refuse a script that bash cannot read.

    Raises:
        VlmftError: bash cannot read it, so that the job would end before it begins.
    """
    patterns = ("-O", "extglob") if "extglob" in script else ()  # which -n does not switch on as it reads
    try:
        done = subprocess.run(
            ["bash", *patterns, "-n"],
            input=script.encode(errors="surrogateescape"),
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            capture_output=True,
            timeout=_READ_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # there is none here, or it is busy: the job's will say it
        return
    said = done.stderr.decode(errors="replace").splitlines()
    if said and (done.returncode or "here-document" in said[0]):  # of which it only warns
        raise VlmftError(f"the place's setup is no script of bash's: {said[0].removeprefix('bash: ')}")


def submit(place: Slurm, folder: RunFolder) -> Slurm:
    """Submit the run, and keep the job's number in `run_file`.

    Returns:
        The place with the job.

    Raises:
        VlmftError: sbatch refuses, or the folder cannot be written; nothing is in the queue then.
        UnconfirmedError: it may be.
    """
    try:
        write_whole(folder.batch_script, batch_script(place, folder))
    except OSError as error:
        raise RunFolderError(f"{folder.batch_script} cannot be written: {error.strerror}") from None
    submitted = replace(place, job="", cluster=slurm.cluster_name())
    script = folder.batch_script.absolute()
    name = slurm.job_name(folder.name)
    try:
        job = slurm.submit(sbatch_arguments(place, folder), script, name, Path.cwd())
    except UnconfirmedError as error:
        with suppress(OSError):
            folder.change_place(replace(submitted, cluster=submitted.cluster or UNNAMED))
        then = "`vlmft resume --gone` submits it again" if folder.segments else "`vlmft rm --gone` deletes the folder"
        raise UnconfirmedError(error.message, f"`squeue --me --name={name}` shows it; if it does not, {then}") from None
    placed = replace(submitted, job=job)
    try:
        folder.change_place(placed)
    except OSError as error:
        slurm.cancel(job)
        raise RunFolderError(f"{folder.run_file} cannot be written: {error.strerror}") from None
    return placed


def _literal(path: Path) -> str:
    """A path in which sbatch finds none of its patterns, such as `%j`."""
    return str(path).replace("%", "%%")
