"""Save-as dialog: the name that a draft is saved under, and what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.presets import Draft
from vlmft_console.presets.save import save_as
from vlmft_console.presets.table import is_shipped
from vlmft_core.errors import VlmftError
from vlmft_core.preset import LoadedPreset

SUMMARY = "about.summary"
KEYS = "enter save   esc stay"
REPLACE_KEYS = "ctrl+r replace the file   esc stay"


class SaveAsScreen(ModalScreen[LoadedPreset]):
    """Asks for a name, saves, and gives back the preset as it loads from its new file; None when nothing was saved.

    Args:
        draft: what to save.
        folder: where presets of one's own go.
        folders: where parents are looked for.
    """

    CSS_PATH = "save_as.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "save", "save", priority=True, tooltip="Write the file"),
        Binding("ctrl+r", "replace", "replace", tooltip="Write over the file that has this name"),
        Binding("escape", "cancel", "stay", tooltip="Back to the form, nothing saved"),
    ]

    def __init__(self, draft: Draft, folder: Path, folders: list[Path]) -> None:
        super().__init__()
        self._draft = draft
        self._folder = folder
        self._folders = folders
        self._taken = False

    def compose(self) -> ComposeResult:
        base = self._draft.base
        own = base.path.parent.resolve() == self._folder.resolve() and not is_shipped(base.path)
        with Vertical(id="dialog"):
            yield Static(literal(f"Save in {self._folder}", "bold"))
            yield Label("name")
            yield Input(base.name if own else f"my-{base.name}"[:64], id="name", compact=True)
            yield Label("what it is for")
            yield Input(self._draft.text(SUMMARY), id="summary", compact=True)
            yield Static("", id="error", markup=False)
            yield Static(KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        for line in self.query(Input):
            line.cursor_blink = False

    def on_input_changed(self) -> None:
        self._taken = False
        self.query_one("#error", Static).update("")
        self.query_one("#keys", Static).update(KEYS)

    def action_save(self) -> None:
        self._save(replace=False)

    def action_replace(self) -> None:
        if self._taken:
            self._save(replace=True)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _save(self, *, replace: bool) -> None:
        name = self.query_one("#name", Input).value.strip()
        self._draft.take({SUMMARY: self.query_one("#summary", Input).value})
        try:
            saved = save_as(self._draft, name, self._folder, self._folders, replace=replace)
        except VlmftError as error:
            self.query_one("#error", Static).update(literal(f"! {error}"))
            target = self._folder / f"{name}.yaml"
            self._taken = target.is_file() and not is_shipped(target) and not replace and self._draft.preset is not None
            self.query_one("#keys", Static).update(REPLACE_KEYS if self._taken else KEYS)
            return
        self.dismiss(saved)
