"""The trainer's program that looks at data sources, asked from here: the console loads nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from vlmft_console.runs.preflight import check_libraries
from vlmft_core.errors import DataError

PROGRAM: Final = "vlmft_trainer.programs.inspect_data"


def ask(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Start the program with a request, and pass on what it answers, as (name, value); its docstring has them.

    Closing the iterator ends the program.

    Raises:
        MachineError: the training libraries are not there.
        DataError: what the program says is wrong, or the last that it said before it broke.
    """
    check_libraries()
    # Threads for the few texts of a sample cost more than they save, and no GPU is needed.
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
            encoding="utf-8",
        ) as program,
    ):
        try:
            yield from _answers(program, request)
        finally:
            program.kill()
        if program.wait() not in (0, -9):
            raise DataError(f"the program that reads the data ended: {_last_line(errors)}")


def _answers(program: subprocess.Popen[str], request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    assert program.stdin is not None
    assert program.stdout is not None
    with program.stdin:
        json.dump(request, program.stdin)
    for line in program.stdout:
        for name, value in json.loads(line).items():
            if name == "error":
                raise DataError(value)
            yield name, value
    program.wait()


def _last_line(errors: IO[bytes]) -> str:
    """The last thing said on standard error, of which a traceback's is the error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 8192))
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "without a word")
