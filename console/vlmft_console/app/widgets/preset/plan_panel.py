"""Plan panel: what the draft comes to, in steps, sizes and time, or why there is no plan."""

from __future__ import annotations

import textwrap

from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.presets.plan_text import short_plan_rows
from vlmft_core.plan import Plan
from vlmft_core.preset import Preset

_LABEL_CELLS, _SIGN_CELLS = 9, 2
_DECISIVE = ("steps", "disk", "memory", "time")
"""Rows that stand over the warnings, however many of those there are."""


class PlanPanel(LineView, can_focus=True):
    """The figures that decide first, then warnings, the other figures, notes."""

    DEFAULT_CSS = """
    PlanPanel { height: 1fr; padding: 0 1; scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[tuple[str, str, str]] = []
        self._outdated = False

    def show(self, plan: Plan, preset: Preset) -> None:
        """Show the plan of a preset."""
        warnings = [("!", text, "caution") for text in plan.warnings]
        notes = [("note", text, "") for text in plan.notes]
        figures = [
            (label, text, "caution" if label == "memory" and plan.fits is False else "")
            for label, text in short_plan_rows(plan, preset)
        ]
        first = [each for each in figures if each[0] in _DECISIVE]
        self._show([*first, *warnings, *(each for each in figures if each not in first), *notes])

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
        room = self.scrollable_content_region.width
        lines: list[Line] = []
        old = [("!", "plan of the last values that fit", "caution")] if self._outdated and self._entries else []
        for label, text, role in [*old, *self._entries]:
            cells = _SIGN_CELLS if label == "!" else _LABEL_CELLS
            for number, line in enumerate(textwrap.wrap(one_line(text), max(10, room - cells)) or [""]):
                lines.append(((f"{'' if number else label:<{cells}}", role or "dim"), (line, role)))
        self.show_lines(lines)
