"""Launch screen: starting a run. Where, on what, under which name, and what is known to be wrong before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, cast, get_args

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Label, Static

from vlmft_console.app.messages import RunStarted
from vlmft_console.app.widgets.base.check_list import CheckList
from vlmft_console.app.widgets.base.choice import Choice
from vlmft_console.app.widgets.base.cut_text import CutText
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.app.widgets.base.name_line import NameLine
from vlmft_console.paths import OUTPUTS
from vlmft_console.places.chosen import HERE, place_of
from vlmft_console.places.places_file import load_places
from vlmft_console.presets.plan_text import plan_line
from vlmft_console.runs.folder import check_name, default_name
from vlmft_console.runs.launching import Check, Launch, checks, prepare, renewed, start
from vlmft_core.errors import PresetError, VlmftError, in_words
from vlmft_core.home import expanded
from vlmft_core.preset import LoadedPreset, Preset
from vlmft_core.preset.monitor_schema import Monitor

WAIT_SECONDS = 0.15
"""How long nothing may change before everything is checked."""
EarlyStop = Literal["off", "advise", "auto"]


@dataclass(frozen=True)
class Wanted:
    """What the form says."""

    gpus: str
    place: str
    name: str
    root: str
    early_stop: str


@dataclass
class Checked(Message):
    """What a form comes to: a launch and its checks, or why there is none."""

    wanted: Wanted
    launch: Launch | None
    checks: list[Check]

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Checked)


@dataclass
class Failed(Message):
    """The run has not started."""

    problem: str


class StartLine(Static, can_focus=True):
    """The line after the last field: enter there, or a click, launches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "launch", key_display="enter", tooltip="Start the run and watch it"),
    ]

    class Pressed(Message):
        """The person wants the run to start."""

    def __init__(self) -> None:
        super().__init__("[ launch ]", id="start", markup=False)

    def action_press(self) -> None:
        self.post_message(self.Pressed())

    def on_click(self) -> None:
        self.action_press()


class LaunchScreen(Screen[None]):
    """Starts one run of a preset, once.

    Args:
        loaded: the preset; what it is called goes into the run's name.
    """

    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+l,f5", "start(True)", "launch", key_display="^l", tooltip="Start the run and watch it"),
        Binding("ctrl+b,f6", "start(False)", "launch, don't watch", key_display="^b", tooltip="Start and go back"),
        Binding("ctrl+g", "copy", "copy command", key_display="^g", tooltip="Copy the command to the clipboard"),
        Binding("down,enter", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "field before", show=False),
        Binding("escape", "back", "back", show=True, tooltip="Start nothing"),
    ]

    def __init__(self, loaded: LoadedPreset) -> None:
        super().__init__()
        self._loaded = loaded
        self._first_name = default_name(loaded.name)
        self._timer: Timer | None = None
        self._checked: Checked | None = None
        self._starting = False

    def compose(self) -> ComposeResult:
        preset = self._loaded.preset
        ranks = "processes" if preset.hardware.device == "cpu" else "GPUs"
        yield NameLine(id="title")
        with Horizontal():
            yield Label(ranks)
            yield Input(str(preset.hardware.gpus), id="gpus", compact=True)
        with Horizontal():
            yield Label("where")
            yield Input(id="place", placeholder=_places(), compact=True)
        with Horizontal():
            yield Label("run name")
            yield Input(self._first_name, id="name", compact=True)
        with Horizontal():
            yield Label("output root")
            yield Input(str(OUTPUTS), id="root", compact=True)
        with Horizontal():
            yield Label("early stop")
            yield Choice(_policies(), preset.monitor.early_stop, id="early-stop")
        yield StartLine()
        yield CutText(id="plan")
        yield CutText(id="problem")
        yield CheckList()
        yield CutText(id="command")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(NameLine).show("Start a run of ", self._loaded.name)
        for line in self.query(Input):
            line.cursor_blink = False
        self.query_one("#name", Input).focus()
        self._check(self._wanted())

    def on_input_changed(self, event: Input.Changed) -> None:
        self._check_soon()

    def on_input_submitted(self) -> None:
        self.focus_next()

    def on_start_line_pressed(self) -> None:
        self.action_start(True)

    def on_choice_changed(self, message: Choice.Changed) -> None:
        self._check_soon()

    def on_checked(self, message: Checked) -> None:
        """Everything was checked; only the form as it is now counts."""
        if message.wanted != self._wanted():
            return
        self._checked = message
        self.query_one(CheckList).show(message.checks)
        self.query_one("#plan", CutText).show(_planned(message.launch) if message.launch else "")
        self.query_one("#command", CutText).show(message.launch.shown_command if message.launch else "")

    def on_failed(self, message: Failed) -> None:
        self._starting = False
        self._say(message.problem, problem=True)
        name = self.query_one("#name", Input)
        if name.value == self._first_name:  # its folder may have been made, and tells what went wrong
            fresh = default_name(self._loaded.name)
            with name.prevent(Input.Changed):  # what went wrong stays to be read
                self._first_name = name.value = fresh if fresh != self._first_name else f"{fresh}-2"
        self._check(self._wanted())

    def action_start(self, watch: bool) -> None:
        """Start the run, once, however often the key is pressed."""
        if self._starting:
            return
        wanted = self._wanted()
        known = self._checked if self._checked and self._checked.wanted == wanted else None
        if known is not None and (stop := next((check for check in known.checks if check.level == "stop"), None)):
            self._say(stop.text, problem=True)
            return
        self._starting = True
        self._say(f"starting {wanted.name} …")
        self._start(wanted, known.launch if known else None, watch)

    def action_copy(self) -> None:
        if self._checked and self._checked.launch:
            self.app.copy_to_clipboard(self._checked.launch.shown_command)
            self._say("the command was sent to the clipboard; where the terminal forbids that, copy it from below")

    def action_back(self) -> None:
        if not self._starting:
            self.dismiss()

    def _wanted(self) -> Wanted:
        fields = ("gpus", "place", "name", "root")
        gpus, place, name, root = (self.query_one(f"#{field}", Input).value.strip() for field in fields)
        return Wanted(gpus, place, name, root, self.query_one(Choice).value)

    def _say(self, text: str, *, problem: bool = False) -> None:
        line = self.query_one("#problem", CutText)
        line.show(one_line(f"! {text}" if problem else text))
        line.set_class(problem, "-problem")
        line.display = bool(text)

    def _check_soon(self) -> None:
        if not self._starting:
            self._say("")
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(WAIT_SECONDS, lambda: self._check(self._wanted()))

    @work(thread=True, exclusive=True, group="check")
    def _check(self, wanted: Wanted) -> None:
        try:
            launch = _prepared(self._loaded, wanted)
            self.post_message(Checked(wanted, launch, checks(launch)))
        except (VlmftError, OSError) as error:  # such as a root with a name that is too long
            self.post_message(Checked(wanted, None, [Check("stop", in_words(error))]))

    @work(thread=True, group="start")
    def _start(self, wanted: Wanted, launch: Launch | None, watch: bool) -> None:
        try:
            launch = renewed(launch) if launch else _prepared(self._loaded, wanted)
            folder, warning = start(launch)
            self.app.post_message(RunStarted(folder, warning, watch))
        except (VlmftError, OSError) as error:
            self.post_message(Failed(in_words(error)))


def _planned(launch: Launch) -> str:
    return f"plan: {plan_line(launch.plan, launch.preset)}"


def _policies() -> tuple[str, ...]:
    return get_args(Monitor.model_fields["early_stop"].annotation)


def _prepared(loaded: LoadedPreset, wanted: Wanted) -> Launch:
    """What the form asks for, settled.

    Raises:
        VlmftError: something in the form cannot be.
    """
    check_name(wanted.name)
    if not (wanted.gpus.isascii() and wanted.gpus.isdigit() and 0 < int(wanted.gpus) <= _MOST_GPUS):
        raise PresetError(f"{wanted.gpus!r} is no number of GPUs", f"type a whole number, 1 to {_MOST_GPUS}")
    if not wanted.root:
        raise PresetError("the output root is empty", f"type a folder, such as {OUTPUTS}")
    place = place_of(wanted.place)
    # Elsewhere the place says how many there are, unless another number was typed.
    untouched = int(wanted.gpus) == loaded.preset.hardware.gpus
    return prepare(
        _with_early_stop(loaded.preset, cast("EarlyStop", wanted.early_stop)),
        loaded.name,
        gpus=None if place is not None and untouched else int(wanted.gpus),
        place=place,
        name=wanted.name,
        root=expanded(wanted.root),
        inherited=loaded.inherited,
    )


def _places() -> str:
    """What can be typed into the field of the place."""
    try:
        names = [one_line(name) for name in load_places()]
    except (VlmftError, OSError):  # told once a name is typed
        names = []
    return f"{HERE}; or {', '.join([*names, 'n1:8,n2:8 for hosts', 'nodes=2,gpus-per-node=8 for Slurm'])}"


def _with_early_stop(preset: Preset, policy: EarlyStop) -> Preset:
    return preset.model_copy(update={"monitor": preset.monitor.model_copy(update={"early_stop": policy})})


_MOST_GPUS = 1024
