"""App: `vlmft-console` itself. Only what the first paint needs is imported here; a screen comes when it is opened."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from rich.console import COLOR_SYSTEMS
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import Notify
from textual.screen import Screen
from textual.worker import WorkerFailed

from vlmft_console.app import messages
from vlmft_console.app.key_order import KeyOrder
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.tell import Said, tell
from vlmft_console.app.themes import DARK, LIGHT
from vlmft_console.charts.styles import speaks_unicode

if TYPE_CHECKING:
    from rich.console import RenderableType

    from vlmft_console.app.kitty_images import KittyImages
    from vlmft_console.app.kitty_query import Drawn
    from vlmft_console.app.widgets.base.chart import Chart
    from vlmft_console.history.choice import Choice
    from vlmft_console.history.loading import ReadAhead

THEMES = {"dark": DARK, "light": LIGHT}

_STYLES: list[str | PurePath] = ["app.tcss", "screens/runs.tcss"]  # a first screen's own CSS_PATH is not read
_WIDTHS = [(0, "-narrow"), (80, "-medium"), (120, "-wide")]
_HEIGHTS = [(0, "-short"), (20, "-tall")]


class VlmftConsole(KeyOrder):
    """Choose a preset, launch it, watch it.

    Args:
        targets: run folders or logs to open at once; several are laid over each other.
        ahead: reads it already, where it is one.
        replay: what of the log to play from its start; None to show its end.
        theme: `dark` or `light`.
        notify: one of `terminal.NOTIFY_STYLES`.
        own_keys: as `KeyOrder` has it.
    """

    TITLE = "vlmft"
    CSS_PATH = _STYLES
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", key_display="?", tooltip="Show every key of this screen"),
        Binding("f1", "help", "help", tooltip="Show every key of this screen"),
        Binding("exclamation_mark", "told", "messages", show=False, tooltip="Show the last messages, all of each"),
        Binding("escape", "back", "back", show=False, tooltip="Close this screen"),
        Binding("q", "back_or_quit", "back", show=False, tooltip="Close this screen; the first one: leave. Runs go on"),
        Binding("ctrl+q", "quit", "quit", show=False, priority=True, tooltip="Leave. Runs go on"),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, tooltip="Back to the shell; `fg` returns"),
        Binding("ctrl+t", "toggle_theme", "theme", show=False, tooltip="Dark or light"),
    ]

    def __init__(
        self,
        *targets: Path,
        ahead: ReadAhead | None = None,
        replay: Choice | None = None,
        theme: Literal["dark", "light"] = "dark",
        notify: str = "bell",
        own_keys: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(own_keys)
        self.animation_level = "none"
        self._notify_style = notify
        self._plain = not speaks_unicode()
        self.in_other_program = False
        """Whether another program has the terminal now, such as an editor."""
        self._leaving = False
        self._told: deque[Said] = deque(maxlen=50)
        self._targets = targets
        self._ahead = ahead
        self._replays = replay
        self.pictures: Drawn = "blocks"
        self._images: KittyImages | None = None
        for each in THEMES.values():
            self.register_theme(each)
        self.theme = THEMES[theme].name

    def get_default_screen(self) -> Screen[None]:
        return RunsScreen()

    def on_mount(self) -> None:
        # Textual leaves the screen empty on which a shell has brought it back.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.screen_change_signal.subscribe(self, self._other_screen, immediate=True)
        if len(self._targets) > 1:
            self.on_open_overlay(messages.OpenOverlay(self._targets))
        elif self._targets and self._replays:
            self.on_open_replay(messages.OpenReplay(self._targets[0], self._replays))
        elif self._targets:
            self.on_open_run(messages.OpenRun(self._targets[0], self._ahead))

    @property
    def _runs(self) -> RunsScreen:
        """The first screen."""
        first = self.screen_stack[0]
        assert isinstance(first, RunsScreen)
        return first

    def on_open_run(self, message: messages.OpenRun) -> None:
        from vlmft_console.app.screens.live import LiveScreen

        self.push_screen(LiveScreen(message.target, message.ahead))
        if message.target.is_dir():
            self._runs.select(message.target)  # whoever comes back from it finds the cursor on it

    def on_entitle(self, message: messages.Entitle) -> None:
        from vlmft_console.app.terminal import window_title

        self.write_escape(window_title(f"vlmft {message.text}".rstrip()))

    def on_open_replay(self, message: messages.OpenReplay) -> None:
        from vlmft_console.app.screens.replay import ReplayScreen

        self.push_screen(ReplayScreen(message.target, message.choice))

    def on_open_metrics(self, message: messages.OpenMetrics) -> None:
        from vlmft_console.app.screens.metrics import MetricsScreen

        self.push_screen(MetricsScreen(message.name, message.state))

    def on_open_answers(self, message: messages.OpenAnswers) -> None:
        from vlmft_console.app.kitty_images import KittyImages
        from vlmft_console.app.screens.answers import AnswersScreen

        if self.pictures == "kitty" and self._images is None:
            self._images = KittyImages(self.write_escape, COLOR_SYSTEMS[self.console.color_system or "truecolor"])
        unwanted = self.pictures == "none"
        self.push_screen(AnswersScreen(message.run, message.evals, images=self._images, unwanted=unwanted))

    def on_open_checkpoints(self, message: messages.OpenCheckpoints) -> None:
        from vlmft_console.app.screens.checkpoints import CheckpointsScreen

        self.push_screen(CheckpointsScreen(message.run, message.state))

    def on_open_comparison(self, message: messages.OpenComparison) -> None:
        from vlmft_console.app.screens.compare import CompareScreen

        self.push_screen(CompareScreen(message.targets))

    def on_open_overlay(self, message: messages.OpenOverlay) -> None:
        from vlmft_console.app.screens.overlay import OverlayScreen

        self.push_screen(OverlayScreen(message.targets))

    def on_open_presets(self) -> None:
        from vlmft_console.app.screens.presets import PresetsScreen

        self.push_screen(PresetsScreen())

    def on_open_editor(self, message: messages.OpenEditor) -> None:
        from vlmft_console.app.screens.editor import EditorScreen

        self.push_screen(EditorScreen(message.preset, message.changes))

    def on_open_launch(self, message: messages.OpenLaunch) -> None:
        from vlmft_console.app.screens.launch import LaunchScreen

        self.push_screen(LaunchScreen(message.preset))

    async def on_run_started(self, message: messages.RunStarted) -> None:
        """Back to the first screen, or as far as nothing unsaved is lost; then to the run."""
        run = message.run
        told = f"{run.name} runs in {run.path}"
        tell(self, f"{told}. {message.warning}" if message.warning else told, problem=bool(message.warning))
        while len(self.screen_stack) > 1 and not getattr(self.screen, "unsaved", False):
            await self.pop_screen()
        if message.watch:
            self.on_open_run(messages.OpenRun(run.path))
        else:
            self._runs.select(run.path)

    def on_run_action(self, message: messages.RunAction) -> None:
        from vlmft_console.app.run_actions import ACTIONS

        ACTIONS[message.action](self, message.run)

    def on_resume_ready(self, message: messages.ResumeReady) -> None:
        from vlmft_console.app.run_actions import ask_to_resume

        ask_to_resume(self, message.run, message.detail)

    def on_checkpoint_action(self, message: messages.CheckpointAction) -> None:
        from vlmft_console.app.checkpoint_actions import ACTIONS

        ACTIONS[message.action](self, message.run, message.step)

    def on_ask_first(self, message: messages.AskFirst) -> None:
        from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen

        def answered(answer: str | None) -> None:
            if answer:
                message.then()

        answers = [Answer("y", message.answer, "yes")]
        self.push_screen(ConfirmScreen(message.question, answers, message.detail, careful=True), answered)

    def on_work_ready(self, message: messages.WorkReady) -> None:
        from vlmft_console.app.dialogs.work import WorkScreen

        self.push_screen(WorkScreen(message.work))

    def on_action_done(self, message: messages.ActionDone) -> None:
        tell(self, message.text, problem=message.problem)
        self._runs.look_now()

    def on_notify(self, event: Notify) -> None:
        """A message takes the place of the one before; Textual shows it after this."""
        self.clear_notifications()
        if isinstance(event.notification, Said):
            event.notification.fit(self.console, self.size.width - 2)
            self._forget_screen()
            self._told.append(event.notification)

    def _other_screen(self, screen: Screen[object]) -> None:
        """A message goes with the screen that it is about; what stays is shown on this one alone."""
        if self._told and self._told[-1].screen not in (None, screen):
            self.clear_notifications()
            self._forget_screen()
        for below in self.screen_stack[:-1]:
            below.query("ToastHolder").remove()

    def _forget_screen(self) -> None:
        """Keep no closed screen, with all that it has read, for what was once said on it."""
        if self._told:
            self._told[-1].screen = None

    def on_alert(self, message: messages.Alert) -> None:
        from vlmft_console.app.terminal import notification

        self.write_escape(notification(self._notify_style, message.title, message.body))

    def on_chart_picture_requested(self, message: Chart.PictureRequested) -> None:
        from vlmft_console.app.chart_picture import write_picture

        write_picture(message, getattr(self.screen, "subject", ""))

    def action_help(self) -> None:
        """Show the keys of the active screen."""
        from vlmft_console.app.dialogs.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_told(self) -> None:
        """Show what was said lately."""
        from vlmft_console.app.dialogs.told import ToldScreen

        self.push_screen(ToldScreen(self._told))

    async def action_back(self) -> None:
        """Close the active screen; the first one stays."""
        if len(self.screen_stack) > 1:
            await self.pop_screen()

    async def action_back_or_quit(self) -> None:
        """Close the active screen; on the first one, leave."""
        if len(self.screen_stack) > 1:
            await self.run_action("screen.back" if hasattr(self.screen, "action_back") else "app.back")
        else:
            self.exit()

    def action_toggle_theme(self) -> None:
        """Change between dark and light, for the next time too."""
        from vlmft_console.app.settings import keep

        light = self.theme == DARK.name
        self.theme = LIGHT.name if light else DARK.name
        keep(self, "theme", "light" if light else "dark")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: what the keys of the active screen do, by name."""
        from vlmft_console.app.keys import keys_of

        for key in keys_of(screen):
            if not key.explained:  # moving about needs no name
                continue
            action = partial(self.run_action, key.action, key.node)
            yield SystemCommand(f"{key.description} ({key.display})", key.explained, action)

    def action_command_palette(self) -> None:
        """Find what a key does by its name."""
        from vlmft_console.app.dialogs.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_suspend_process(self) -> None:
        """Back to the shell, where there is one: else nobody could make this go on."""
        from vlmft_console.app.terminal import has_shell_behind

        if self._driver is not None and self._driver.can_suspend and has_shell_behind():
            super().action_suspend_process()
        else:
            tell(self, "there is no shell behind this screen to go back to", problem=True)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Lend the terminal to another program. Ctrl-C there is meant for that program."""
        self.in_other_program = True
        try:
            with super().suspend():
                yield
        finally:
            self._plain = not speaks_unicode()
            self.in_other_program = False

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        if self._images is not None:
            self._images.drop_all()  # while the terminal still shows the screen that they belong to
        super().exit(result, return_code, message)

    def leave_soon(self, status: int) -> bool:
        """Ask the app to end with this exit status; safe in a signal handler.

        Returns:
            False where there is no running app to ask.
        """
        if self._loop is None:
            return False
        self._leaving = True
        self._loop.call_soon_threadsafe(self.exit, None, status)
        return True

    @property
    def _background_screens(self) -> list[Screen[object]]:
        """Textual counts the screens below an opaque one in, and every change of theirs would repaint all of that."""
        return [] if self.screen.styles.background.a == 1 else super()._background_screens

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send what changed with fewer bytes than Textual would."""
        with suppress(ImportError):  # of a Textual without such updates
            from textual._compositor import ChopsUpdate, LayoutUpdate

            from vlmft_console.app.frame import Frame

            if isinstance(renderable, ChopsUpdate | LayoutUpdate):
                # Textual takes the characters of any such update
                renderable = cast("RenderableType", Frame(renderable, plain=self._plain))
        super()._display(screen, renderable)

    def write_escape(self, text: str) -> None:
        """Write to the terminal past the screen: the bell and notifications. `text` was made by `terminal`."""
        if text and self._driver is not None and not self.is_headless:
            self._driver.write(text)

    def _handle_exception(self, error: Exception) -> None:
        if self._leaving:  # handlers may find their widgets gone, or not there yet
            self._close_messages_no_wait()
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual's own would print the values of local variables, and secrets with them."""
        from vlmft_console.app.crash import crash_line

        error = self._exception or sys.exc_info()[1] or RuntimeError("unknown")
        if not self._exit_renderables:  # what follows the first error is mostly its fault
            self._exit_renderables.append(crash_line(error.error if isinstance(error, WorkerFailed) else error))
        self._close_messages_no_wait()
