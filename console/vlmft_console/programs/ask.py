"""Programs: the trainer's, started from here with a job; the console loads nothing heavy itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import IO, Any, Final

import orjson

from vlmft_console.runs.processes import describe_exit
from vlmft_core.errors import EXIT_INTERRUPTED, VlmftError
from vlmft_core.jobs import Job, PredictJob

PROGRAMS: Final = "vlmft_trainer.programs"
EVAL: Final = "eval"
MERGE: Final = "merge"
PREDICT: Final = "predict"
INSPECT_DATA: Final = "inspect_data"
WORST: Final = "worst"
STEP_ROWS: Final = "step_rows"
INTERRUPT_S: Final = 10.0
"""How long an interrupted program may take to end by itself, in seconds."""


class Broken(Exception):
    """The program broke.

    Args:
        reason: the last thing it said, or what killed it.
    """


class Cancelled(Exception):
    """The program was ended by its `Cancel`."""


class Cancel:
    """Ends a program from another thread; one that has not begun by then ends at once."""

    def __init__(self) -> None:
        self.wanted = False
        self._run: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def __call__(self) -> None:
        with self._lock:
            self.wanted = True
            if self._run is not None:
                self._run.terminate()

    def watch(self, run: subprocess.Popen[bytes]) -> None:
        """This is the program."""
        with self._lock:
            self._run = run
            if self.wanted:
                run.terminate()


def ask(
    program: str,
    job: Job,
    errors: IO[bytes],
    processes: int = 1,
    cancel: Cancel | None = None,
) -> Iterator[tuple[str, Any]]:
    """Start a program with a job, and pass on what it answers, as (name, value); its docstring has them.

    Closing the iterator ends the program.

    Args:
        errors: a file for what else it says.
        processes: how many share the work.
        cancel: can end it.

    Raises:
        VlmftError: what the program says is wrong.
        Cancelled: `cancel` ended it.
        Broken: it ended otherwise than it should.
        KeyboardInterrupt: it was interrupted.
    """
    with _started(program, job, errors, processes) as run:
        assert run.stdout is not None
        if cancel is not None:
            cancel.watch(run)
        try:
            for line in run.stdout:
                if not line.endswith(b"\n"):  # it was killed in the middle of it
                    break
                for name, value in orjson.loads(line).items():
                    if name == "error":
                        raise VlmftError(value)
                    yield name, value
        except KeyboardInterrupt:  # on a terminal the program has had it too, and ends by itself
            with suppress(subprocess.TimeoutExpired):
                run.wait(timeout=INTERRUPT_S)
            run.terminate()
            raise
        except BaseException:
            run.terminate()
            raise
        code = run.wait()
    if code and cancel is not None and cancel.wanted:
        raise Cancelled
    if code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if code < 0:  # its last words were of something else
        raise Broken(f"it {describe_exit(-code)}")
    if code:
        raise Broken(last_line(errors))


def _started(program: str, job: Job, errors: IO[bytes], processes: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable]
    if processes > 1:
        argv += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    argv += ["-m", PROGRAMS, program, job.model_dump_json()]
    # A folder here called `datasets`, say, must not stand in for a library.
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    environment.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // processes)))
    given = None if isinstance(job, PredictJob) and job.reads_input else subprocess.DEVNULL
    try:
        return subprocess.Popen(argv, stdin=given, stdout=subprocess.PIPE, stderr=errors, env=environment)
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        raise VlmftError("more is asked than a command line holds", "put it into a file: --batch") from None


def last_line(errors: IO[bytes]) -> str:
    """The last thing said on standard error, of which a traceback's is the error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 8192))
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")
