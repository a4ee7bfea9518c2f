"""Growth of what it costs to look: 1, 10, 100 and 1,000 times as many runs, logged steps, and text.

python -m tests.bench.growth

Every figure is a process of its own: its CPU seconds, with those of its children, and its peak memory. Where a command
keeps something for the next time, the first line is the first look and the second one is any later.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

GROWTH = (1, 10, 100, 1000)
STEPS = 1000
"""Logged steps at 1x: 320 kB of event log."""
TEXT = 150_000
"""Bytes of plain log at 1x."""
Cost = Callable[[Path], tuple[float, float]]
"""CPU seconds and MiB at most of what is done in a folder."""
VLMFT = str(Path(sys.executable).with_name("vlmft"))

MAKE = """
import sys
from pathlib import Path
from tests.bench.growth import make_runs, make_steps, make_text
{"runs": make_runs, "steps": make_steps, "text": make_text}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
"""


def main() -> None:
    print(f"{'CPU s, MiB at most':<44}" + "".join(f"{f'{times:,}x':>16}" for times in GROWTH))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _row("vlmft runs: 1 … 1,000 runs, first", root, "runs", lambda at: _cost(at, "runs"), fresh=True)
        _row("  with every log read", root, "runs", lambda at: _cost(at, "runs", "--sort", "name"))
        _row("  later", root, "runs", lambda at: _cost(at, "runs"))
        _row("completion of a name, the same runs", root, "runs", _completion)
        _row("vlmft status: 1,000 … 1,000,000 steps, first", root, "steps", _status, fresh=True)
        _row("  later", root, "steps", _status)
        _row("vlmft report, the same logs", root, "steps", _report)
        _row("vlmft logs: 150 kB … 150 MB", root, "text", lambda at: _cost(at, "logs", "run"))
        _row("  the last 20 lines", root, "text", lambda at: _cost(at, "logs", "-n", "20", "run"))
        _row("vlmft-console, the same logs, first", root, "steps", _console, fresh=True)
        _row("  later", root, "steps", _console)
        _row("vlmft-console: 1 … 1,000 runs", root, "runs", _list_of_runs)


def _row(
    label: str, root: Path, what: str, cost: Callable[[Path], tuple[float, float]], *, fresh: bool = False
) -> None:
    print(f"{label:<44}", end="", flush=True)
    for times in GROWTH:
        place = root / f"{what}-{times}"
        if not place.exists():
            subprocess.run([sys.executable, "-c", MAKE, what, str(place), str(times)], check=True)
        if fresh:
            _forget(place)
        seconds, mib = cost(place)
        print(f"{f'{seconds:.2f} s, {mib:.0f}':>16}", end="", flush=True)
    print(flush=True)


def _forget(place: Path) -> None:
    """Take away what vlmft keeps for the next look."""
    for name in ("state", "cache"):
        shutil.rmtree(place / name, ignore_errors=True)
    for summary in place.glob("outputs/*/logs/.summary"):
        summary.unlink()


def _environment(place: Path) -> dict[str, str]:
    homes = {f"XDG_{name.upper()}_HOME": str(place / name) for name in ("state", "cache", "config")}
    return {**os.environ, **homes, "PYTHONDONTWRITEBYTECODE": ""}


def _cost(place: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[float, float]:
    """CPU seconds and MiB at most of one command in that folder.

    The system counts as a child's peak what this process had when it forked, so this one stays small.
    """
    child = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", 'cd "$1" && shift && exec "$@" > /dev/null', "sh", str(place), VLMFT, *arguments],
        {**_environment(place), **(env or {})},
    )
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"vlmft {' '.join(arguments)} in {place} {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _status(place: Path) -> tuple[float, float]:
    return _cost(place, "status", "run")


def _report(place: Path) -> tuple[float, float]:
    (place / "report.html").unlink(missing_ok=True)
    return _cost(place, "report", "outputs/run", "-o", "report.html")


def _completion(place: Path) -> tuple[float, float]:
    return _cost(place, env={"_VLMFT_COMPLETE": "complete_bash", "COMP_WORDS": "vlmft status ru", "COMP_CWORD": "2"})


def _console(place: Path) -> tuple[float, float]:
    times = int(place.name.rpartition("-")[2])
    return _shown(place, f"{times * STEPS:,}/{times * STEPS:,}", "outputs/run")


def _list_of_runs(place: Path) -> tuple[float, float]:
    newest = int(place.name.rpartition("-")[2]) - 1
    return _shown(place, f"run-{newest}")


def _shown(place: Path, text: str, *target: str) -> tuple[float, float]:
    """The same for the console, until a text stands on its screen."""
    from tests.in_terminal import terminal

    with terminal(place, *target, size=(120, 40), env=_environment(place)) as console:
        console.wait_until_shown(text, seconds=600.0)
        peak = next(line for line in Path(f"/proc/{console.pid}/status").read_text().splitlines() if "VmHWM" in line)
        return console.cpu_seconds(), int(peak.split()[1]) / 1024


def make_runs(place: Path, times: int) -> None:
    """So many runs that have ended: half of 3,000 steps, half of 20."""
    import orjson

    from tests.bench.load import records

    texts = [b"".join(orjson.dumps(record) + b"\n" for record in records(steps)) for steps in (3000, 20)]
    for number in range(times):
        _make_run(place, f"run-{number}").write_bytes(texts[number % 2])


def make_steps(place: Path, times: int) -> None:
    """One run that has ended, with so many thousand steps."""
    import orjson

    from tests.bench.load import records

    with _make_run(place, "run").open("wb") as file:
        file.writelines(orjson.dumps(record) + b"\n" for record in records(times * STEPS))


def make_text(place: Path, times: int) -> None:
    """One run whose ranks printed so much, as transformers prints a record a step."""
    log = _make_run(place, "run").with_name("training_20260101-000000.log")
    with log.open("w") as file:
        step = written = 0
        while written < times * TEXT:
            step += 1
            written += file.write(
                f"{{'loss': {1 / step:.4f}, 'grad_norm': 0.5137, 'learning_rate': 4e-05, 'epoch': {step / 1e4}}}\n"
            )
            if step % 100 == 0:
                written += file.write(f"[2026-01-01 00:00:00,000] [INFO] [rank 0] step={step}, skipped=0, lr=[4e-05]\n")


def _make_run(place: Path, name: str) -> Path:
    """A run that has ended, and where its event log goes."""
    from vlmft_console.runs.folder import Command, RunFolder
    from vlmft_core.durable import as_json, write_whole

    folder = RunFolder.create(place / "outputs", name)
    folder.write_run(preset_name="best", preset_text="{}\n", command=Command(("true",), {}))
    write_whole(folder.exit_file, as_json({"status": "finished", "reason": "", "exit_code": 0}))
    return folder.events_file()


if __name__ == "__main__":
    main()
