"""Run list: a row for each run, and what it says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec
from vlmft_console.app.widgets.base.row_list import ListRow, RowList
from vlmft_console.figures import age, clock, done
from vlmft_core.figures import exponent, figure

if TYPE_CHECKING:
    from vlmft_console.runs.overview import Overview

COLUMNS = (
    ColumnSpec("", 1),
    ColumnSpec("run", 12, stretches=True, middle=True),
    ColumnSpec("state", 14),
    ColumnSpec("done", 5, rank=1, right=True),
    ColumnSpec("step", 15, rank=8, right=True),
    ColumnSpec("left", 8, rank=2, right=True),
    ColumnSpec("train", 8, rank=4, right=True),
    ColumnSpec("eval", 8, rank=4, right=True),
    ColumnSpec("health", 9, rank=3, stretches=True, widest=24),
    ColumnSpec("preset", 10, rank=7, stretches=True, widest=20),
    ColumnSpec("age", 6, rank=6, right=True),
)

STATES = {
    "running": ("▶", "good"),
    "queued": ("◌", ""),
    "starting": ("◌", "good"),
    "stopping": ("■", "caution"),
    "stalled": ("!", "caution"),
    "unsupervised": ("!", "caution"),
    "elsewhere": ("!", "caution"),
    "finished": ("✓", ""),
    "early_stopped": ("✓", ""),
    "stopped": ("□", ""),
    "recorded": ("○", ""),
}
"""Sign and role of each state; all others have gone wrong."""
FAILED = ("✗", "stop")
LABELS = ColumnSpec("tags, note", 10, rank=9, stretches=True, widest=40)
"""Where a run has some."""


class RunList(RowList):
    """Every run with its state, progress, losses and worst finding."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="runs")

    def cuts_name(self, run: Overview) -> bool:
        """Whether its name is not whole in the list."""
        return self.is_cut(1, run.folder.name)

    def show_runs(
        self, runs: Sequence[Overview], marked: Collection[str], now: float, *, grouped: bool = False
    ) -> None:
        """Show these runs.

        Args:
            runs: in the order to show.
            marked: paths of the marked ones.
            now: Unix time that ages are counted to.
            grouped: whether runs of one preset stand together, under a line with its name; it has a key of no run.
        """
        self._columns = (*COLUMNS, LABELS) if any(str(run.labels) for run in runs) else COLUMNS
        rows = [ListRow(str(run.folder.path), _cells(run, now)) for run in runs]
        if grouped:
            groups: dict[str, list[ListRow]] = {}
            for run, row in zip(runs, rows, strict=True):
                groups.setdefault(run.preset, []).append(row)
            heads = (_head(number, preset, len(groups[preset])) for number, preset in enumerate(groups))
            rows = [each for head, group in zip(heads, groups.values(), strict=True) for each in (head, *group)]
        self.show(rows, marked)


def state_words(state: str) -> tuple[str, str]:
    """How a state is written, such as `✗ failed`, and its role."""
    sign, role = STATES.get(state, FAILED)
    words = {"early_stopped": "early stop"}.get(state, state)
    return f"{sign} {words}", role


def _cells(run: Overview, now: float) -> tuple[Cell, ...]:
    words, role = state_words(run.status.state)
    unread = "" if run.read else "…"
    progress = run.progress
    return (
        Cell(""),
        Cell(run.folder.name, "strong" if run.status.live else ""),
        Cell("○ sample" if run.recorded else words, role),
        Cell(unread or done(progress)),
        Cell(f"{run.step:,}/{run.total_steps:,}" if run.total_steps else f"{run.step:,}" if run.step else "", "dim"),
        Cell("" if run.eta_seconds is None else clock(run.eta_seconds)),
        _loss(run.loss),
        _loss(run.eval_loss),
        health_cell(run),
        Cell(run.preset, "dim"),
        Cell("" if run.recorded else age(now - run.created), "dim"),
        Cell(str(run.labels)),
    )


def _head(number: int, preset: str, count: int) -> ListRow:
    return ListRow(f"group {number}", (Cell(f"  {preset or 'no preset'} ({count})", "title"),))


def _loss(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(figure(value), short=exponent(value, 3))


def health_cell(run: Overview) -> Cell:
    """The worst finding that holds, such as `! caution overfitting`."""
    if run.finding is None:
        return Cell("ok" if run.step else "", "dim")
    sign = {"stop": "✗ stop", "caution": "! caution"}[run.finding.severity]
    return Cell(f"{sign} {run.finding.rule}", run.finding.severity, sign)
