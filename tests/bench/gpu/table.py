"""Table: the rows of the bench as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.bench.gpu.ways import BASELINES

Rows = list[dict[str, Any]]

TITLES = {"agreement": "This GPU against a CPU", "trainings": "The demo preset on this GPU", "speed": "Speed"}


def table(rows: Rows, seconds: float) -> str:
    """Markdown of all rows; one with an `error` has it in place of its figures.

    Args:
        seconds: that all took.
    """
    by_part: dict[str, Rows] = {}
    for row in rows:
        by_part.setdefault(row["part"], []).append(row)
    text = [f"{_machine(by_part.pop('machine', []))} All in {seconds:.0f} s."]
    for part, its in by_part.items():
        kind, _, size = part.partition(":")
        text += ["", f"### {TITLES[kind]}{f', {size}' if size else ''}", "", *KINDS[kind](its)]
    return "\n".join(text) + "\n"


def _machine(rows: Rows) -> str:
    known = {name: value for row in rows for name, value in row.items() if name not in ("part", "row")}
    return ", ".join(f"{name} {value}" for name, value in known.items()) + "."


def _lines(names: list[str], rows: Rows, cells: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        its = [row["error"].replace("|", "/"), *[""] * (len(names) - 1)] if "error" in row else cells(row)
        lines.append(f"| {row['row']} | {' | '.join(its)} |")
    return lines


def _speed(rows: Rows) -> list[str]:
    speeds = {row["row"]: row.get("samples_per_s") for row in rows}
    sdpa, flash = speeds.get(BASELINES[0]), speeds.get(BASELINES[1])

    def times(row: dict[str, Any], base: float | None) -> str:
        return f"{row['samples_per_s'] / base:.2f}" if base else ""

    def cells(row: dict[str, Any]) -> list[str]:
        return [
            f"{row['samples_per_s']:.2f}",
            times(row, sdpa),
            times(row, flash),
            f"{row['tokens_per_s']:.0f}",
            "" if row["mfu"] is None else f"{row['mfu']:.1%}",
            "" if row["peak_gib"] is None else f"{row['peak_gib']:.1f}",
            f"{row['data_share']:.1%}",
        ]

    lines = _lines(["samples/s", "x SDPA", "x flash", "tokens/s", "MFU", "peak GiB", "data"], rows, cells)
    notes = [f"- {row['row']}: {note}" for row in rows for note in row.get("notes", ())]
    return [*lines, "", *notes] if notes else lines


def _agreement(rows: Rows) -> list[str]:
    def cells(row: dict[str, Any]) -> list[str]:
        return [
            f"{row['loss']:.5f}",
            *(f"{row[name]:.1e}" for name in ("loss_differs", "gradient_differs", "rounding")),
        ]

    return _lines(["loss", "differs by", "gradients differ by", "a CPU's from fp32"], rows, cells)


def _trainings(rows: Rows) -> list[str]:
    def cells(row: dict[str, Any]) -> list[str]:
        losses = f"{row['first_loss']:.3f} to {row['last_loss']:.3f}"
        return [str(row["steps"]), losses, "yes" if row["adapter"] else "no", f"{row['seconds']:.0f}"]

    return _lines(["steps", "loss", "adapter", "seconds"], rows, cells)


KINDS: dict[str, Callable[[Rows], list[str]]] = {"speed": _speed, "agreement": _agreement, "trainings": _trainings}
