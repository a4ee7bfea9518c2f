"""Presets screen: what each promises, why each value is what it is, and how they compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from vlmft_console.app.dialogs.name import NameScreen
from vlmft_console.app.messages import OpenEditor, OpenLaunch
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.preset.preset_compare import PresetCompare
from vlmft_console.app.widgets.preset.preset_detail import PresetDetail
from vlmft_console.app.widgets.preset.preset_list import PresetList
from vlmft_console.paths import own_presets, preset_folders
from vlmft_console.runs.machine_gpus import smallest_gpu
from vlmft_core.errors import VlmftError, in_words

if TYPE_CHECKING:
    from vlmft_console.presets.table import Listed


@dataclass
class PresetsRead(Message):
    """The presets that can be named, as they are now."""

    presets: list[Listed]


class PresetsScreen(Screen[None]):
    """Lists presets beside the one under the cursor, or compares them all with it; launches, edits and copies it.

    The list and the table share the choice: the keys act on the row under the cursor, or on the column in brackets.
    """

    AUTO_FOCUS = "PresetList"
    CSS_PATH = "presets.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,l,right", "launch", "launch", key_display="enter", tooltip="Start a run with this preset"),
        Binding("e", "edit", "edit", tooltip="Change values of this preset"),
        Binding("n", "copy", "copy", tooltip="Make a preset of your own that builds on this one"),
        Binding("t", "table", "table", tooltip="Compare all presets with the one under the cursor, and back"),
        Binding("escape,h,left", "back", "back", key_display="esc", tooltip="Back to the runs"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._presets: dict[str, Listed] = {}
        self.getting_ready = True
        """Until the presets have been read."""

    def compose(self) -> ComposeResult:
        yield Static("vlmft  presets", id="title", markup=False)
        with Container(id="both"):
            yield PresetList()
            yield PresetDetail()
        yield PresetCompare()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        self._read()  # a preset may have been changed meanwhile

    @property
    def _list(self) -> PresetList:
        return self.query_one(PresetList)

    @work(thread=True, exclusive=True)
    def _read(self) -> None:
        from vlmft_console.presets.table import listed_presets

        self.post_message(PresetsRead(listed_presets(smallest_gpu())))

    def on_presets_read(self, message: PresetsRead) -> None:
        before = self._current()
        self.getting_ready = False
        self._presets = {preset.name: preset for preset in message.presets}
        self._list.show_presets(message.presets)
        if self._current() != before:
            self._show_current()
        if self.has_class("-table"):
            self._show_table()

    @on(CursorList.Moved, "PresetList")
    def _moved_in_list(self) -> None:
        self._show_current()

    @on(CursorList.Chosen, "PresetList")
    def _chosen_in_list(self) -> None:
        self.action_launch()

    @on(CursorList.Moved, "PresetCompare")
    def _moved_in_table(self, message: CursorList.Moved) -> None:
        self._choose(message.key)
        self._show_table()

    def _show_current(self) -> None:
        self.query_one(PresetDetail).show(self._current())

    def _current(self) -> Listed | None:
        return self._presets.get(self._list.cursor)

    def _usable(self) -> Listed | None:
        preset = self._current()
        if preset is not None and preset.loaded is None:
            tell(self, preset.error, problem=True)
            return None
        return preset

    def action_launch(self) -> None:
        preset = self._usable()
        if preset is not None and preset.loaded is not None:
            self.app.post_message(OpenLaunch(preset.loaded))

    def action_edit(self) -> None:
        if preset := self._usable():
            self.app.post_message(OpenEditor(str(preset.path)))

    def action_copy(self) -> None:
        preset = self._usable()
        if preset is None:
            return
        self.app.push_screen(NameScreen(f"Name of the preset that builds on {preset.name}"), self._copy)

    def _copy(self, name: str | None) -> None:
        preset = self._current()
        if not name or preset is None or preset.loaded is None:
            return
        from vlmft_console.presets.draft import Draft
        from vlmft_console.presets.save import save_as

        try:
            copy = save_as(Draft(preset.loaded), name, own_presets(), preset_folders())
        except (VlmftError, OSError) as error:  # such as no place for presets of one's own
            tell(self, in_words(error), problem=True)
            return
        self.app.post_message(OpenEditor(str(copy.path)))

    def action_table(self) -> None:
        """Change between the list and the table."""
        usable = self._comparable()
        if self.has_class("-table") or not usable:
            self.remove_class("-table")
            focus_now(self._list)
            self._title("presets")
            return
        if self._list.cursor not in [preset.name for preset in usable]:  # a broken one has no column
            self._choose(usable[0].name)
        self.add_class("-table")
        self._show_table()
        focus_now(self.query_one(PresetCompare))

    def _show_table(self) -> None:
        """The table as the presets and the choice are now."""
        chosen = self._list.cursor
        self.query_one(PresetCompare).show_presets(self._comparable(), chosen)
        self._title(f"presets; ←→ choose; * differs from {chosen}")

    def _comparable(self) -> list[Listed]:
        return [preset for preset in self._presets.values() if preset.loaded is not None]

    def _choose(self, name: str) -> None:
        """Put the list's cursor on a preset."""
        self._list.move_to(self._list.keys.index(name))

    def action_back(self) -> None:
        if self.has_class("-table"):
            self.action_table()
        else:
            self.dismiss()

    def _title(self, text: str) -> None:
        self.query_one("#title", Static).update(literal(f"vlmft  {text}"))
