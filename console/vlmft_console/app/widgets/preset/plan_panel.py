"""Plan panel: what the draft comes to, in steps, sizes and time, or why there is no plan."""

from __future__ import annotations

import textwrap

from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_core.filesize import filesize
from vlmft_core.plan import Plan

_LABEL_CELLS = 9


class PlanPanel(LineView, can_focus=True):
    """A figure a line; notes and warnings below."""

    DEFAULT_CSS = """
    PlanPanel { height: 1fr; padding: 0 1; scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[tuple[str, str, str]] = []
        self._outdated = False

    def show(self, plan: Plan, *, cpu: bool) -> None:
        """Show a plan.

        Args:
            plan: the plan.
            cpu: whether the ranks run on a CPU.
        """
        notes = [("note", text, "") for text in plan.notes] + [("!", text, "caution") for text in plan.warnings]
        self._show([*((label, text, "") for label, text in figures(plan, cpu=cpu)), *notes])

    def show_problem(self, problem: str) -> None:
        """Say why there is no plan."""
        self._show([("!", problem, "stop")])

    def show_age(self, *, outdated: bool) -> None:
        """Say whether the plan is that of earlier values, because those of now do not fit."""
        if outdated != self._outdated:
            self._outdated = outdated
            self.lay_out()

    def _show(self, entries: list[tuple[str, str, str]]) -> None:
        self._entries = entries
        self.lay_out()

    def lay_out(self) -> None:
        width = max(10, self.scrollable_content_region.width - _LABEL_CELLS)
        rows: list[Line] = []
        old = [("!", "plan of the last values that fit", "caution")] if self._outdated and self._entries else []
        for label, text, role in [*old, *self._entries]:
            for number, line in enumerate(textwrap.wrap(one_line(text), width) or [""]):
                rows.append(((f"{'' if number else label:<{_LABEL_CELLS}}", role or "dim"), (line, role)))
        self.show_lines(rows)


def figures(plan: Plan, *, cpu: bool) -> list[tuple[str, str]]:
    """The plan as (label, text), short; a figure that cannot be known is `unknown`."""
    ranks = ("process" if plan.gpus == 1 else "processes") if cpu else ("GPU" if plan.gpus == 1 else "GPUs")
    rows = [
        ("samples", f"{_count(plan.samples)} to train, {_count(plan.eval_samples)} an eval"),
        (
            "batch",
            f"{plan.effective_batch} = {plan.micro_batch} x {plan.accumulation} accumulated x {plan.gpus} {ranks}",
        ),
        ("steps", f"{_count(plan.total_steps)}, {_count(plan.steps_per_epoch)} an epoch"),
        ("warm-up", f"{_count(plan.warmup_steps)} steps"),
    ]
    rate = "" if plan.evals_per_epoch is None else f", {plan.evals_per_epoch:.1f} an epoch"
    rows.append(("evals", f"{_count(plan.evals)}{rate}"))
    if plan.trainable_params is not None:
        rows.append(("trains", f"{plan.trainable_params:,} parameters"))
    kept = "checkpoint" if plan.checkpoints_kept == 1 else "checkpoints"
    rows.append(("disk", f"{_size(plan.disk_bytes)}, {_count(plan.checkpoints_kept)} {kept} kept"))
    memory = "unknown" if plan.gpu_memory_bytes is None else f"about {plan.gpu_memory_bytes / 2**30:.1f} GiB a process"
    return [*rows, ("memory", memory), ("time", _time(plan))]


def _time(plan: Plan) -> str:
    if not plan.hours:
        return plan.hours_source
    scale, unit = (60, "min") if max(plan.hours) < 1 else (1, "h")
    fast, slow = (f"{scale * value:.1f}" for value in plan.hours)
    return (fast if fast == slow else f"{fast} to {slow}") + f" {unit}; {plan.hours_source}"


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _size(value: int | None) -> str:
    return "unknown" if value is None else filesize(value)
