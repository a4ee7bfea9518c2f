"""Preset differences: what a draft changes, and the preset it began from against its own parent."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from vlmft_console.app.widgets.base.cells import fitted
from vlmft_console.app.widgets.base.line_view import Line, LineView, Part
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.presets import Difference, Draft

_ARROW = " -> "
_ADVISED = "  (advised)"


class PresetDiff(LineView, can_focus=True):
    """Key, value before, value now: on a line where they fit, else the values below their key, each cut to its half."""

    DEFAULT_CSS = """
    PresetDiff { height: 1fr; padding: 0 1; scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None

    def show(self, draft: Draft) -> None:
        """Show the differences of the draft as it is now."""
        self._draft = draft
        self.lay_out()

    def lay_out(self) -> None:
        draft, width = self._draft, self.room
        if draft is None or not width:
            return
        here, inherited = draft.differences(), draft.inherited()
        lines: list[Line] = [((f"changed here, {len(here)}", "strong"),)]
        for each in here:
            lines += _lines(each, width, "caution", advised=each.path in draft.advised)
        if draft.base.extends:
            title = one_line(f"{draft.base.name} against {draft.base.extends}, {len(inherited)}")
            lines.append(((title, "strong"),))
            for each in inherited:
                lines += _lines(each, width, "")
        self.show_lines(lines)


def _lines(difference: Difference, width: int, role: str, *, advised: bool = False) -> Iterator[Line]:
    before, now = (one_line(text) or "empty" for text in (difference.before, difference.now))
    key, end = f"  {difference.path}", (_ADVISED if advised else "", "accent")
    if cell_len(f"{key}  {before}{_ARROW}{now}{end[0]}") <= width:
        yield ((f"{key}  ", ""), *_values(before, now, role), end)
        return
    yield ((key, ""), end)
    room = max(2, width - 4 - len(_ARROW))
    most = max(room // 2, room - cell_len(now)), max(room - room // 2, room - cell_len(before))
    yield (("    ", ""), *_values(_cut(before, most[0]), _cut(now, most[1]), role))


def _values(before: str, now: str, role: str) -> tuple[Part, ...]:
    return (before, "dim"), (_ARROW, "dim"), (now, role)


def _cut(text: str, cells: int) -> str:
    """At most `cells` cells of `text`; `…` where something is cut off."""
    return fitted(text, cells) if cell_len(text) > cells else text
