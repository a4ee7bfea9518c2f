"""Slurm, as its own commands do and tell it; each has a time limit, as they wait for a controller that is down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vlmft_console.errors import MachineError, UnconfirmedError
from vlmft_console.figures import clock
from vlmft_core.errors import VlmftError

_ANSWER_SECONDS = 10.0
_SUBMIT_SECONDS = 60.0
_FRESH_SECONDS = 2.0
"""How long an answer about a job is passed on without asking again: whoever looks often costs the controller little."""
_WAITING_SECONDS = 10.0
"""The same of a job that waits, which it may do for days; that it has started is seen in its folder."""
_SILENT_SECONDS = 30.0
"""How long a controller that did not answer is not asked the same again."""
_TRIES = 3
_FILTERS = ("SCANCEL_", "SQUEUE_")
"""What begins variables by which a person has squeue leave out jobs, and scancel ask before it obeys."""
UNNAMED = "a cluster"
"""A cluster whose name Slurm did not tell, as `run.json` has it for a run that may be in its queue."""
_WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})
_THERE = frozenset(
    {"RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
)


class SilentError(MachineError):
    """A command did not answer in time: whether it did what it was told is not known."""


@dataclass(frozen=True)
class JobState:
    """What Slurm says of a job: `state` in its words (empty for one that it has forgotten), why it waits, when it is
    expected to start, and on which nodes it is."""

    state: str
    reason: str = ""
    start: str = ""
    nodes: str = ""

    @property
    def waiting(self) -> bool:
        return self.state in _WAITING

    @property
    def there(self) -> bool:
        """Whether processes of it may be alive."""
        return self.state in _THERE

    def __str__(self) -> str:
        """Why and until when it waits."""
        return "; ".join(filter(None, (self.reason, f"expected to start at {self.start}" if self.start else "")))


_FORGOTTEN = JobState("")
_answers: dict[str, tuple[float, JobState | None]] = {}
_cluster: tuple[float | None, str] = None, ""
"""When this machine's cluster was asked its name, and what it said."""


def job_name(run: str) -> str:
    """What the job of a run is called in the queue."""
    return f"vlmft:{run}"


def check_commands() -> None:
    """Refuse a machine that jobs are not submitted from.

    Raises:
        MachineError: this is no machine that jobs are submitted from.
    """
    missing = [name for name in ("sbatch", "squeue", "scancel", "scontrol", "srun") if shutil.which(name) is None]
    if missing:
        raise MachineError(f"there is no {', '.join(missing)} here", "submit from a login node of the cluster")


def submit(arguments: Sequence[str], script: Path, name: str, folder: Path) -> str:
    """The number of a job that is in the queue now.

    Args:
        arguments: options of sbatch.
        script: what it runs; no other job has that.
        name: what it is called.
        folder: where the job's program is started.

    Raises:
        VlmftError: sbatch refuses it, in its own words.
        UnconfirmedError: sbatch says neither that nor the job's number, and no job of that script is found.
        KeyboardInterrupt: it came before the number; the job was taken out of the queue.
    """
    try:
        answer = _ask(["sbatch", "--parsable", *arguments, str(script)], _SUBMIT_SECONDS, folder).strip()
    except VlmftError as error:
        if not isinstance(error, SilentError) and "timed out" not in error.message:  # as sbatch says of the controller
            raise
        said = error.message
    except KeyboardInterrupt:  # sbatch may have come as far as that
        with suppress(VlmftError):
            if found := _job_of(script, name):
                cancel(found)
                raise
        raise _unconfirmed("interrupted while sbatch was asked", script) from None
    else:
        job = answer.rpartition("\n")[2].partition(";")[0]  # a site's own sbatch may say more before it
        if _is_number(job):
            return job
        said = f"Slurm: sbatch says {answer!r}, and no job's number"
    if found := _job_of(script, name):
        return found
    raise _unconfirmed(said, script)


def _unconfirmed(said: str, script: Path) -> UnconfirmedError:
    return UnconfirmedError(
        f"{said}; the job may be in the queue all the same, and the run folder {script.parents[1]} is kept"
    )


def _job_of(script: Path, name: str) -> str:
    """The number of a job that waits or runs, by what it runs; empty where there is none, or no answer."""
    with suppress(VlmftError):
        for line in _ask(["squeue", "--noheader", f"--name={name}", "--format=%i|%o"]).splitlines():
            job, _, command = line.strip().partition("|")
            if command == str(script) and _is_number(job):
                return job
    return ""


def _is_number(job: str) -> bool:
    return job.isascii() and job.isdecimal()


def expected_start(arguments: Sequence[str], folder: Path) -> str:
    """What sbatch says of a job, submitting none: when and where it would start.

    Raises:
        VlmftError: sbatch refuses it, in its own words.
    """
    return _ask(["sbatch", "--test-only", *arguments], _SUBMIT_SECONDS, folder).partition(" to start at ")[2].strip()


def job_state(job: str, name: str) -> JobState | None:
    """A job as Slurm knows it; None where there is no Slurm, or no answer.

    Args:
        job: its number.
        name: what it is called; another job of that number is not it.
    """
    asked, known = _answers.get(job, (0.0, _FORGOTTEN))
    age = time.monotonic() - asked
    waiting = known is not None and known.waiting
    fresh = _SILENT_SECONDS if known is None else _WAITING_SECONDS if waiting else _FRESH_SECONDS
    if asked and age < fresh:
        return known
    state = _job_state(job, name)
    _answers[job] = (time.monotonic(), state)
    return state


def _job_state(job: str, name: str) -> JobState | None:
    try:
        told = _ask(["squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%S|%N|%r|%j"])
    except VlmftError as error:
        return _FORGOTTEN if "Invalid job id" in str(error) else None
    for line in told.splitlines():
        state, start, nodes, reason, called = [*line.split("|", 4), *[""] * 4][:5]
        if called == name:
            return JobState(state, "" if reason == "None" else reason, "" if start == "N/A" else start, nodes)
    return _FORGOTTEN


def cluster_name() -> str:
    """What the cluster of this machine is called; empty where there is no Slurm, or no answer yet."""
    global _cluster
    if "SLURM_CLUSTER_NAME" in os.environ:
        return os.environ["SLURM_CLUSTER_NAME"]
    asked, name = _cluster
    if not name and (asked is None or time.monotonic() - asked > _SILENT_SECONDS):
        name = _cluster_name()
        _cluster = time.monotonic(), name
    return name


def _cluster_name() -> str:
    try:
        told = _ask(["scontrol", "show", "config"])
    except VlmftError:
        return ""
    settings = (line.partition("=") for line in told.splitlines())
    return next((value.strip() for name, _, value in settings if name.strip() == "ClusterName"), "")


def cancel(job: str) -> None:
    """End a job that waits, or TERM and later KILL whatever it runs; one that is over already is no mistake.

    Raises:
        VlmftError: Slurm does not do so, in its own words.
    """
    _ask(["scancel", "--quiet", job])
    _answers.pop(job, None)


def signal_command(job: str, name: str) -> list[str]:
    """The command that has Slurm signal what srun started, and not srun itself, which would kill all at any signal."""
    kept_out = (word for variable in os.environ if variable.startswith(_FILTERS) for word in ("-u", variable))
    return ["env", *kept_out, "scancel", "--quiet", f"--signal={name}", job]


def requeue(job: str) -> None:
    """Put the job that this process is in back into the queue, with its number.

    Raises:
        VlmftError: Slurm does not do so, in its own words.
    """
    _ask(["scontrol", "requeue", job], ended_by=signal.SIGTERM)  # which ends with all else of the job


def restarts(job: str) -> tuple[str, int]:
    """The state of a job in Slurm's words, and how often it was put back into the queue.

    Raises:
        VlmftError: Slurm does not know it, or does not answer.
    """
    for _ in range(_TRIES):
        try:
            words = _ask(["scontrol", "show", "job", "--oneliner", job]).split()
            break
        except VlmftError as error:  # where Slurm ends the job that asks, its TERM is for the command, too
            problem = error
            time.sleep(_FRESH_SECONDS / 10)
    else:
        raise problem
    told = dict(word.partition("=")[::2] for word in words)
    count = told.get("Restarts", "")
    return told.get("JobState", ""), int(count) if count.isdecimal() else 0


def _ask(
    argv: Sequence[str],
    seconds: float = _ANSWER_SECONDS,
    folder: Path | None = None,
    ended_by: signal.Signals | None = None,
) -> str:
    """What a command says: its output, or, of `sbatch --test-only`, which has none, its errors.

    Args:
        argv: the command.
        seconds: how long it may take.
        folder: where it is started; None for here.
        ended_by: a signal by which it may end, too.

    Raises:
        VlmftError: it is not there, refuses, or does not answer in time.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(_FILTERS)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SilentError(f"Slurm: {argv[0]} has not answered for {clock(seconds)}") from None
    except OSError as error:
        raise MachineError(f"{argv[0]}: {error.strerror}") from None
    output, errors = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if done.returncode and (ended_by is None or done.returncode != -ended_by):
        raise VlmftError(f"Slurm: {in_one_line(errors) or f'{argv[0]} exits with status {done.returncode}'}")
    return output or errors


def in_one_line(said: str) -> str:
    """What a command of Slurm's complains of, without its name in front of each line."""
    lines = (line.strip() for line in said.splitlines())
    words = (line.removeprefix("sbatch: ").removeprefix("error: ") for line in lines)
    return "; ".join(word for word in words if word and not word.startswith("Try "))
