"""What a draft changes: here, and the preset it began from against its own parent."""

from __future__ import annotations

from vlmft_console.editing import Difference, Draft
from vlmft_console.widgets.lines import Lines, Row
from vlmft_console.widgets.literal import one_line


class PresetDiff(Lines, can_focus=True):
    """A line a difference: key, value before, value now."""

    DEFAULT_CSS = """
    PresetDiff { height: 1fr; padding: 0 1; }
    """

    def show(self, draft: Draft) -> None:
        """Show the differences of the draft as it is now."""
        here, inherited = draft.differences(), draft.inherited()
        rows: list[Row] = [((f"changed here, {len(here)}", "strong"),)]
        rows += [_row(each, "caution", advised=each.path in draft.advised) for each in here]
        if draft.base.extends:
            title = one_line(f"{draft.base.name} against {draft.base.extends}, {len(inherited)}")
            rows += [((title, "strong"),), *(_row(each, "") for each in inherited)]
        self.show_rows(rows)


def _row(difference: Difference, role: str, *, advised: bool = False) -> Row:
    before, now = (one_line(text) or "empty" for text in (difference.before, difference.now))
    end = "  (advised)" if advised else ""
    return ((f"  {difference.path}  ", ""), (before, "dim"), (" -> ", "dim"), (now, role), (end, "accent"))
