"""How long `vlmft --help` takes, against the import of typer alone, each in a fresh process, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
BUDGET = 2.0


def seconds(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    program = str(Path(sys.executable).with_name("vlmft"))
    ours, typers = [], []
    for _ in range(ROUNDS + 1):
        ours.append(seconds([program, "--help"]))
        typers.append(seconds([sys.executable, "-c", "import typer"]))
    help_s, typer_s = statistics.median(ours[1:]), statistics.median(typers[1:])  # the first pair warms the cache
    print(f"{'command':<28}{'median':>10}{'ratio':>8}{'budget':>8}")
    print(f"{'python -c import typer':<28}{1000 * typer_s:>7.0f} ms{1:>8.2f}{'':>8}")
    print(f"{'vlmft --help':<28}{1000 * help_s:>7.0f} ms{help_s / typer_s:>8.2f}{BUDGET:>8.2f}")


if __name__ == "__main__":
    main()
