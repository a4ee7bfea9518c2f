"""Field help: what the field under the cursor means, may be, and why it is what it is."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from vlmft_console.app.widgets.base.literal import literal, one_line
from vlmft_console.app.widgets.preset.field_list import LEGEND
from vlmft_console.presets import Draft, fields, sections

_LONGEST = 32
"""Characters shown of a value beside other facts."""


class FieldHelp(Static):
    """A few lines below the form."""

    DEFAULT_CSS = """
    FieldHelp { height: 5; padding: 0 1; background: $boost; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)

    def show(self, draft: Draft, path: str, error: str) -> None:
        """Show a field (its path) or a section (its name), and what is wrong with it."""
        field = fields().get(path)
        if field is None:
            about = sections().get(path, "")
            self.update(Content.assemble((path, "bold"), f"  {about}\n", (LEGEND, "$text-muted")))
            return
        lines: list[Content] = []
        if error:
            lines.append(literal(one_line(f"! {error}"), "bold $text-error"))
        facts = [field.limits or field.kind, f"default {_short(field.default)}", draft.origin(path)]
        if draft.differs(path):
            facts.insert(0, f"was {_short(draft.base_text(path))}")
        lines.append(Content.assemble((path, "bold"), "  ", literal(one_line("; ".join(facts)), "$text-muted")))
        lines.append(literal(one_line(field.meaning)))
        reason = draft.reason(path)
        if reason:
            lines.append(literal(one_line(f"why: {reason}"), "italic"))
        elif draft.differs(path):
            lines.append(Content.styled("why: not said; press w to say it", "$text-muted"))
        self.update(Content("\n").join(lines))


def _short(text: str) -> str:
    if not text:
        return "empty"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
