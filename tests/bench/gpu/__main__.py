"""All parts of the bench within a time, and their table.

    python -m tests.bench.gpu [--minutes 9] [--out table.md]
    python -m tests.bench.gpu --tiny        # on a CPU, to see that it runs

Nothing is downloaded. A row that fails says why, and the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.bench.gpu.table import table
from tests.bench.gpu.trainings import KINDS
from tests.bench.gpu.ways import AGREEMENTS, MAIN, WAYS
from tests.bench.gpu.worker import STOPPED

ROOT = Path(__file__).parents[3]
LEAST = 15.0
"""Seconds under which no further process is started."""


class Part(NamedTuple):
    """Rows that are made in one process.

    Attributes:
        name: as the worker knows it.
        limit: seconds that a row may take.
    """

    name: str
    rows: tuple[str, ...]
    limit: float


def parts(*, tiny: bool) -> list[Part]:
    """What is measured, in the order in which time is best spent: the longest last."""
    if tiny:
        return [
            Part("machine", ("machine",), 60),
            Part("agreement:tiny", AGREEMENTS, 400),
            Part("speed:tiny", tuple(name for name, way in WAYS.items() if way.attention != "flash_attention_2"), 400),
        ]
    return [
        Part("machine", ("machine",), 60),
        Part("agreement:shallow", AGREEMENTS, 120),
        Part("speed:7b", MAIN, 120),
        Part("trainings", tuple(KINDS), 220),
        Part("speed:3b", MAIN, 60),
        Part("speed:7b", tuple(WAYS)[len(MAIN) :], 60),
    ]


def make(part: Part, deadline: float) -> list[dict[str, Any]]:
    """All rows of a part, those with an error among them."""
    found: list[dict[str, Any]] = []
    while len(found) < len(part.rows):
        left = deadline - time.monotonic()
        if left < LEAST:
            return found + [_failed(part, row, "not reached: the time was up") for row in part.rows[len(found) :]]
        with TemporaryDirectory() as folder:
            out, errors = Path(folder) / "rows.jsonl", Path(folder) / "errors.txt"
            line = [sys.executable, "-W", "ignore", "-m", "tests.bench.gpu.worker"]
            line += [str(out), str(part.limit), part.name, *part.rows[len(found) :]]
            with errors.open("w") as kept:
                worker = subprocess.Popen(line, cwd=ROOT, stdout=kept, stderr=kept, start_new_session=True)
                try:
                    worker.wait(left)
                    reason = ""
                except subprocess.TimeoutExpired:
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
                    reason = "cut off: the time was up"
            made = [json.loads(row) for row in out.read_text().splitlines()] if out.exists() else []
            found += made
            if worker.returncode not in (0, STOPPED) and len(found) < len(part.rows):
                found.append(_failed(part, part.rows[len(found)], reason or _last_words(errors, part.limit)))
        for row in found[-len(made) :] if made else []:
            print(json.dumps(row), flush=True)
    return found


def _failed(part: Part, row: str, reason: str) -> dict[str, Any]:
    print(f"{part.name}, {row}: {reason}", flush=True)
    return {"part": part.name, "row": row, "error": reason}


def _last_words(errors: Path, limit: float) -> str:
    """Why a worker ended in the middle of a row."""
    lines = [line for line in errors.read_text().splitlines() if line.strip()] or ["it ended without a word"]
    if any(line.startswith("Timeout (") for line in lines):
        return f"took longer than {limit:.0f} s"
    return lines[-1][:300]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=9.0, help="for everything together")
    parser.add_argument("--out", type=Path, help="write the table to this file, too")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    for part in parts(tiny=options.tiny):
        rows += make(part, began + 60 * options.minutes)
        if not options.tiny and rows[0].get("gpu", "").startswith("none"):
            raise SystemExit("no GPU here: --tiny runs on a CPU")
        if options.out:  # what there is so far: whoever ends this keeps it
            options.out.write_text(table(rows, time.monotonic() - began))
    print("\n" + table(rows, time.monotonic() - began))


if __name__ == "__main__":
    main()
