"""Field search: a line that leads to the fields whose name or meaning holds what is typed."""

from __future__ import annotations

from textual.widgets import Input

from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_console.app.widgets.preset.field_list import FieldList
from vlmft_console.presets.fields import find


class FieldSearch(TypedLine):
    """Is seen while somebody searches; the cursor of the list goes along, and back where it was on Esc."""

    _list: FieldList
    _began_at: str

    def begin(self, fields: FieldList) -> None:
        """Search in `fields`."""
        self._list, self._began_at = fields, fields.cursor
        self.value = ""
        self.display = True
        focus_now(self)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._find(0)

    def on_typed_line_left(self, event: TypedLine.Left) -> None:
        event.stop()
        if event.by:
            self._find(event.by)
            return
        if not event.keep:
            self._list.go_to(self._began_at)
        self.display = False
        focus_now(self._list)

    def _find(self, by: int) -> None:
        """Go to the first field that is meant, or to the next (`by` 1) or the one before."""
        found, now = find(self.value), self._list.cursor
        if found:
            self._list.go_to(found[(found.index(now) + by) % len(found) if by and now in found else 0])
