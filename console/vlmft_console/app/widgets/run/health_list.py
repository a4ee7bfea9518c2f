"""Health list: the findings of a run with severity as word and glyph, the figures, the advice."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from vlmft_console.app.widgets.base.cells import cut_line
from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.app.widgets.run.run_list import state_words
from vlmft_console.figures import epochs_passed
from vlmft_console.history.odd_rows import finding_rows, odd_step_words, other_odd_steps
from vlmft_console.history.state import RunState
from vlmft_console.report.diagnosis import UNJUDGED
from vlmft_console.report.summary import score_lines, task_scores
from vlmft_console.runs.headline import Headline
from vlmft_console.runs.status import STOPPING
from vlmft_core.health import STOP, Advice, Diagnosis, Finding

_SIGNS = {"stop": "■ STOP", "caution": "▲ caution"}
_NOTES = 5
"""So many of the newest notes stand below the findings."""
_ODD = 3
"""So many of the newest odd steps that no finding tells of."""


class HealthList(LineView, can_focus=True):
    """What a run that has ended came to; the diagnosis, its findings, the worst first, then the resolved ones, then
    odd steps and the run's notes. One finding is selected."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "select(-1)", "previous finding", show=False),
        Binding("down,j", "select(1)", "next finding", show=False),
    ]
    DEFAULT_CSS = """
    HealthList {
        padding: 0 1;
        scrollbar-gutter: stable;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._findings: list[Finding] = []
        self._diagnoses: list[Diagnosis] = []
        self._rows: dict[int, str] = {}
        self._odd_words: list[str] = []
        self._notes: list[str] = []
        self._selected: int | None = None
        self._tops: list[int] = []
        self._end: tuple[str, str] | None = None
        self._outcome: list[str] = []
        self._adapter = ""
        self._judged = True
        self._doubts: list[str] = []
        self._unjudged = ""
        self._unit = "step"

    @property
    def selected(self) -> Finding | None:
        """The finding that the person has chosen, else the worst one; None when there is none."""
        chosen = [finding for finding in self._findings if finding.number == self._selected]
        return next(iter(chosen or self._findings), None)

    @property
    def advice(self) -> Advice:
        """What to do about the selected finding: the advice of the diagnosis that it belongs to."""
        return _advice_for(self.selected, self._diagnoses) if self.selected else Advice("")

    def show(self, state: RunState) -> None:
        """Show what the rules have found so far."""
        self._unit = state.health.unit
        self._findings = sorted(state.findings, key=_urgency)
        self._diagnoses = state.health.diagnoses
        unjudged = state.health.unjudged
        self._unjudged = UNJUDGED.format(unjudged) if unjudged else ""
        self._judged = bool(state.train_loss or state.eval_loss)
        self._outcome = [f"{task}: {text}" for task, text in score_lines(task_scores(state))] if state.answered else []
        self._rows = {finding.number: finding_rows(state, finding) for finding in self._findings}
        self._odd_words = [odd_step_words(record) for record in other_odd_steps(state)[-_ODD:]]
        self._notes = list(state.notes)[-_NOTES:]
        self._doubts = state.doubts
        self.lay_out()

    def show_end(self, headline: Headline) -> None:
        """Say at the top how the run ended, or why it does not go on, and where its adapter is."""
        words, role = headline.sign or state_words(headline.word)
        end = (f"{words}: {headline.remark}", role) if headline.remark and headline.word != STOPPING else None
        if (end, headline.adapter) != (self._end, self._adapter):
            self._end, self._adapter = end, headline.adapter
            self.lay_out()

    def select(self, finding: Finding) -> None:
        """Choose `finding` and bring it into view, where the panel is shown."""
        self._selected = finding.number
        self.lay_out()
        self._reveal()

    def action_select(self, distance: int) -> None:
        """Choose the next or the previous finding."""
        if self.selected is None:
            self.scroll_relative(y=distance, animate=False)
            return
        at = self._findings.index(self.selected) + distance
        if at in range(len(self._findings)):
            self.select(self._findings[at])
        else:
            self.scroll_relative(y=distance, animate=False)  # the notes

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.lay_out()

    def _reveal(self) -> None:
        if self.selected is None or not self.room:
            return
        at = self._findings.index(self.selected)
        ends = [*self._tops[1:], len(self.shown)]
        if ends[at] > self.scroll_offset.y + self.size.height:
            self.scroll_to(y=ends[at] - self.size.height, animate=False, immediate=True)
        if self._tops[at] < self.scroll_offset.y:
            self.scroll_to(y=self._tops[at], animate=False, immediate=True)

    def lay_out(self) -> None:
        if not self.room:
            return  # not laid out yet
        width = max(16, self.room)
        lines: list[Line] = _wrapped(*self._end, width, indent="") if self._end else []
        for line in self._outcome:
            lines += _wrapped(line, "strong", width, indent="")
        if self._adapter:
            lines += _wrapped(f"adapter: {self._adapter}", "good", width, indent="")
        for doubt in self._doubts:
            lines += _wrapped(f"▲ {doubt}", "caution", width, indent="")
        told: set[str] = set()
        for diagnosis in self._diagnoses:
            if diagnosis.evidence:
                lines += _sentence(diagnosis, width)
                told |= {diagnosis.sentence, diagnosis.advice.text}
        self._tops = []
        for finding in self._findings:
            self._tops.append(len(lines))
            here = finding is self.selected
            lines += [cut_line(line, width) for line in _head(finding, self._unit, cursor=here and self.has_focus)]
            if finding.active:
                if finding.message not in told:
                    lines += _wrapped(finding.message, "", width)
                if rows := self._rows.get(finding.number):
                    lines += _wrapped(rows, "", width)
                advice = _advice_for(finding, self._diagnoses)
                lines += _advice(advice, width, selected=here, told=advice.text in told)
                told.add(advice.text)
        if not self._judged:
            lines.append((("no losses to judge", "dim"),))
        elif not self._findings:
            lines.append((("✓ ok", "good"), ("  no findings so far", "")))
        if self._unjudged:
            lines += _wrapped(self._unjudged, "dim", width, indent="")
        for words in reversed(self._odd_words):
            lines += _wrapped(words, "dim", width, indent="")
        for note in reversed(self._notes):
            lines += _wrapped(f"note: {note}", "dim", width, indent="")
        self.show_lines(lines)


def _urgency(finding: Finding) -> tuple[bool, bool, int]:
    return (not finding.active, finding.severity != STOP, -finding.step)


def _head(finding: Finding, unit: str, *, cursor: bool) -> list[Line]:
    where = f"{unit} {finding.step:,}" + ("" if finding.epoch is None else f", epoch {epochs_passed(finding.epoch)}")
    if finding.resolved is not None:
        head = f"✓ resolved  {one_line(finding.rule)} · {where} to {finding.resolved:,}"
        return [((head, "cursor" if cursor else "dim"),)]
    role = "stop" if finding.severity == STOP else "caution"
    name = (one_line(finding.rule), "cursor" if cursor else "strong")
    return [((_SIGNS[role], role), ("  ", ""), name, (f" · {where}", "dim"))]


def _sentence(diagnosis: Diagnosis, width: int) -> list[Line]:
    """What several findings come to, and the one advice; the findings follow as its evidence."""
    role = "stop" if diagnosis.severity == STOP else "caution"
    lines = _wrapped(f"{_SIGNS[role]}  {diagnosis.sentence}", role, width, indent="")
    return lines + (_wrapped(f"→ {diagnosis.advice.text}", "accent", width) if diagnosis.advice.text else [])


def _advice_for(finding: Finding, diagnoses: Sequence[Diagnosis]) -> Advice:
    mine = (each.advice for each in diagnoses if finding.active and finding.rule in each.rules)
    return next(mine, finding.advice)


def _advice(advice: Advice, width: int, *, selected: bool, told: bool) -> list[Line]:
    """The advice; told once, however many findings share it, and how to follow it for the selected one."""
    lines: list[Line] = []
    if advice.text and not told:
        lines += _wrapped(f"→ {advice.text}", "accent", width)
    if advice.changes and selected:
        lines.append((("    ", ""), ("a", "strong"), (" makes that preset", "dim")))
    return lines


def _wrapped(text: str, role: str, width: int, indent: str = "  ") -> list[Line]:
    lines = textwrap.wrap(one_line(text), width, initial_indent=indent, subsequent_indent=indent + "  ")
    return [((line, role),) for line in lines]
