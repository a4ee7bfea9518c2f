"""Editor screen: a form over every field of a preset, with the plan and the learning rate it comes to beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.dialogs.restore import offer_kept
from vlmft_console.app.dialogs.save_as import SaveAsScreen
from vlmft_console.app.messages import OpenLaunch
from vlmft_console.app.outside_editor import edit_outside
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.base.name_line import NameLine
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_console.app.widgets.preset.field_form import FieldForm
from vlmft_console.app.widgets.preset.field_help import FieldHelp
from vlmft_console.app.widgets.preset.field_list import FieldList
from vlmft_console.app.widgets.preset.field_search import FieldSearch
from vlmft_console.app.widgets.preset.keeping import Keeping
from vlmft_console.app.widgets.preset.lr_preview import LrPreview
from vlmft_console.app.widgets.preset.plan_panel import PlanPanel
from vlmft_console.app.widgets.preset.planner import Planned, Planner
from vlmft_console.app.widgets.preset.preset_diff import PresetDiff
from vlmft_console.paths import own_presets, preset_folders
from vlmft_console.presets import Draft, fields, open_preset
from vlmft_console.presets.fields import REASONS
from vlmft_console.presets.values import as_block, as_line
from vlmft_core.errors import VlmftError, in_words
from vlmft_core.figures import counted
from vlmft_core.preset import LoadedPreset

_FEW = 2
"""Changes that leave the plan its room on a wide terminal."""


class EditorScreen(Screen[None]):
    """Edits one preset.

    Args:
        preset: a preset's name, or the path of a YAML file.
        changes: values by dotted key to begin with, such as the advice of a health finding.
    """

    CSS_PATH = "editor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save as", key_display="^s", tooltip="Save as a preset of your own"),
        Binding("ctrl+l,f5", "launch", "launch", key_display="^l", tooltip="Start a run with these values"),
        Binding("ctrl+z,u", "undo", "undo", key_display="^z", tooltip="One step back"),
        Binding("ctrl+y,U", "redo", "redo", show=False, tooltip="One step forth again"),
        Binding("ctrl+f", "search", "find", key_display="^f", priority=True, tooltip="Go to a field by its name"),
        Binding("slash", "search", "find", key_display="/", tooltip="Go to a field by its name"),
        Binding("1", "view('form')", "form", tooltip="The form"),
        Binding("2", "view('plan')", "plan", tooltip="What the preset comes to"),
        Binding("3", "view('diff')", "changes", tooltip="What is changed"),
        Binding("e,ctrl+o", "outside", "your editor", tooltip="Edit the whole preset in $VISUAL or $EDITOR"),
        Binding("w", "reason", "why", tooltip="Say why the field has its value"),
        Binding("r,delete", "reset", "reset", tooltip="Give the field back the value it had"),
        Binding("escape", "back", "back", show=False, tooltip="Leave; asks when something is not saved"),
    ]

    def __init__(self, preset: str, changes: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._asked = preset
        self._changes = changes or {}
        self._draft: Draft | None = None
        self._blamed: dict[str, str] = {}
        self._warnings = 0

    def compose(self) -> ComposeResult:
        yield NameLine(id="title")
        with Horizontal(id="body"):
            yield FieldForm()
            with Vertical(id="side"):
                yield PlanPanel()
                yield LrPreview()
                yield PresetDiff()
        yield FieldSearch()
        yield FieldHelp()
        yield KeyBar()
        yield Planner()
        yield Keeping()

    def on_mount(self) -> None:
        self._form.list.focus()
        try:
            loaded = open_preset(self._asked, preset_folders())
            self._draft = Draft(loaded, self._changes)
        except VlmftError as error:
            self.query_one("#title", NameLine).show("", self._asked)
            self.query_one(FieldHelp).update(literal(f"! {error}"))
            self.set_class(True, "-broken")
            return
        self._changed()
        if self._changes:
            self._form.list.go_to(next(iter(self._changes)))
        self.query_one(Keeping).follow(self._draft)
        offer_kept(self, self._draft, self._changed)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("view", "reason", "reset") and isinstance(self.focused, Input):
            return False  # their keys are typed there
        if action == "view":
            return not self.has_class("-wide")
        return action == "back" or not self.has_class("-broken")

    @property
    def _form(self) -> FieldForm:
        return self.query_one(FieldForm)

    @property
    def unsaved(self) -> bool:
        """Whether closing this screen without asking would lose something."""
        return self._draft is not None and self._draft.dirty

    @property
    def draft(self) -> Draft:
        """What is being edited; there is one as soon as the preset could be read."""
        assert self._draft is not None
        return self._draft

    def on_field_form_typed(self, message: FieldForm.Typed) -> None:
        self.draft.set(message.path, message.text)
        self._changed()

    def on_field_form_settled(self) -> None:
        """What was set last is one step for `undo`."""
        self.draft.settle()
        self._changed()

    def on_cursor_list_moved(self) -> None:
        self._show_help()

    def on_cursor_list_chosen(self, message: CursorList.Chosen) -> None:
        path = message.key
        if not fields()[path].structured:
            self._form.edit(path, self.draft.text(path))
            return
        from vlmft_console.app.dialogs.yaml_text import YamlScreen

        before = self.draft.text(path)

        def take(text: str | None) -> None:
            self.draft.set(path, before if text is None else as_line(text))
            self.on_field_form_settled()

        self.app.push_screen(YamlScreen(path, as_block(before), lambda text: self.draft.set(path, text)), take)

    def on_field_list_turned(self, message: FieldList.Turned) -> None:
        choices, now = fields()[message.path].choices, self.draft.text(message.path)
        place = choices.index(now) + message.by if now in choices else 0
        self.draft.set(message.path, choices[place % len(choices)])
        self.on_field_form_settled()

    def on_planned(self, message: Planned) -> None:
        """The plan of the newest draft."""
        self._blamed = {}
        if message.plan is None:
            self.query_one(PlanPanel).show_problem(message.problem)
            named = (path for path in fields() if message.problem.startswith(path))
            blamed = max(named, key=len, default="")  # lora.rslora, and not lora.r
            self._blamed = {blamed: message.problem.removeprefix(f"{blamed}: ")} if blamed else {}
        else:
            self.query_one(PlanPanel).show(message.plan, message.preset)
            self.query_one(LrPreview).show_plan(message.preset, message.plan)
        self._warnings = len(message.plan.warnings) if message.plan else 0
        self._show_title()
        self._form.show(self.draft, self._blamed)
        self._show_help()

    def action_undo(self) -> None:
        if self._form.typing:
            self._form.leave(keep=False)
        elif self.draft.undo():
            self._changed()

    def action_redo(self) -> None:
        if not self._form.typing and self.draft.redo():
            self._changed()

    def action_reset(self) -> None:
        if self._form.list.cursor in fields():
            self.draft.reset(self._form.list.cursor)
            self._changed()

    def action_reason(self) -> None:
        path = self._form.list.cursor
        if path in fields():
            self._form.edit(f"{REASONS}.{path}", self.draft.reason(path))

    def action_view(self, name: str) -> None:
        self._finish_typing()
        for each in ("plan", "diff"):
            self.set_class(each == name, f"-{each}")
        views: dict[str, Widget] = {"plan": self.query_one(PlanPanel), "diff": self.query_one(PresetDiff)}
        focus_now(views.get(name, self._form.list))

    def action_search(self) -> None:
        self._finish_typing()
        self.action_view("form")
        self.query_one(FieldSearch).begin(self._form.list)

    def action_save(self) -> None:
        self._save(leave=False)

    def action_launch(self) -> None:
        self._finish_typing()
        if self.draft.preset is None:
            tell(self, self.draft.first_error, problem=True)
            if wrong := next((path for path in self.draft.errors if path in fields()), ""):
                self._form.list.go_to(wrong)
            return
        self.app.post_message(OpenLaunch(replace(self.draft.base, preset=self.draft.preset)))

    def action_outside(self) -> None:
        self._finish_typing()
        self.query_one(Keeping).keep()
        edit_outside(self, self.draft, self._changed)

    def action_back(self) -> None:
        if not self.unsaved:
            self._leave()
            return
        self._finish_typing()
        self.app.push_screen(
            ConfirmScreen(
                f"{self.draft.base.name} has {counted(len(self.draft.differences()), 'change')} not saved.",
                (Answer("s", "save as…", "save"), Answer("d", "discard them", "discard")),
                cancel="stay",
            ),
            self._answered,
        )

    def _answered(self, answer: str | None) -> None:
        if answer == "save":
            self._save(leave=True)
        elif answer == "discard":
            self._leave()

    def _leave(self) -> None:
        """Close the screen; nothing is left to be kept."""
        self.query_one(Keeping).forget()
        self.dismiss()

    def _save(self, *, leave: bool) -> None:
        self._finish_typing()

        def saved(loaded: LoadedPreset | None) -> None:
            if loaded is None:
                self._changed()
                return
            self.query_one(Keeping).forget()
            self.draft.saved(loaded)
            self.query_one(Keeping).follow(self.draft)
            tell(self.app, f"saved {loaded.path}")
            self._changed()
            if leave:
                self._leave()

        try:
            folder = own_presets()
        except OSError as error:
            tell(self, f"there is no place for presets of your own: {in_words(error)}", problem=True)
            return
        self.app.push_screen(SaveAsScreen(self.draft, folder, preset_folders()), saved)

    def _finish_typing(self) -> None:
        """What is being typed counts, its last key included."""
        if path := self._form.typing:
            self.draft.set(path, self._form.query_one(TypedLine).value)
            self._form.leave(keep=True)

    def _changed(self) -> None:
        """Show the draft as it is now, and have it planned and kept soon."""
        draft = self.draft
        self._form.show(draft, self._blamed)
        self.query_one(PresetDiff).show(draft)
        self.set_class(len(draft.differences()) + len(draft.inherited()) > _FEW, "-changes")
        self._show_help()
        self.query_one(PlanPanel).show_age(outdated=draft.preset is None)
        self.query_one(Planner).plan_soon(draft)
        self._show_title()
        self.query_one(Keeping).keep_soon()

    def _show_title(self) -> None:
        """What is changed, and how much of it is wrong or doubtful."""
        words = (
            f"{counted(len(self.draft.differences()), 'change')}, not saved" if self.draft.dirty else "nothing changed"
        )
        if wrong := len(self.draft.errors):
            words += f", {wrong} wrong"
        if self._warnings:
            words += f", {counted(self._warnings, 'warning')} of the plan"
        self.query_one("#title", NameLine).show("", self.draft.base.name, f": {words}")

    def _show_help(self) -> None:
        path = self._form.list.cursor
        error = self.draft.errors.get(f"{REASONS}.{path}", "") or self._form.list.error_of(path)
        self.query_one(FieldHelp).show(self.draft, path, error)
