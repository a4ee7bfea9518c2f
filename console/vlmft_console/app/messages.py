"""Messages: what screens ask of the app, and what readers of a log tell the screens.

Those to the app go there straight (`self.app.post_message`), so that a screen is open before the next key is handled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual.message import Message

from vlmft_console.history.choice import LAST, Choice

if TYPE_CHECKING:
    from vlmft_console.history.loading import Progress, ReadAhead
    from vlmft_console.history.state import RunState
    from vlmft_console.programs.work import Work
    from vlmft_core.preset import LoadedPreset
    from vlmft_core.run_folder.layout import RunLayout


@dataclass
class OpenRun(Message):
    """Show a run folder or a log: live where it grows, as it ended where it does not."""

    target: Path
    ahead: ReadAhead | None = None
    """What reads it already."""


@dataclass
class Entitle(Message):
    """Name the window of the terminal."""

    text: str
    """May hold names from anywhere; empty for the program's name alone."""


@dataclass
class OpenReplay(Message):
    """Play a run folder or a log from its start."""

    target: Path
    choice: Choice = LAST
    """What of the log."""


@dataclass
class OpenAnswers(Message):
    """Show what base and adapter of a run answer to its eval questions."""

    run: Path
    evals: frozenset[int] | None = None
    """Steps of the evals that are shown, as in a replay; None for all, those to come too."""


@dataclass
class OpenCheckpoints(Message):
    """Show the checkpoints of a run that is on the screen."""

    run: RunLayout
    state: Callable[[], RunState | None]
    """Gives the run as it is now."""


@dataclass
class OpenMetrics(Message):
    """Show the metrics of a run that is on the screen."""

    name: str
    state: Callable[[], RunState | None]
    """Gives the run as it is now."""


@dataclass
class OpenComparison(Message):
    """Lay runs or logs over each other, two to eight."""

    targets: Sequence[Path]


@dataclass
class OpenOverlay(Message):
    """Lay runs or logs over each other on one live screen, up to eight."""

    targets: Sequence[Path]


class OpenPresets(Message):
    """Show the presets."""


@dataclass
class OpenEditor(Message):
    """Change a preset."""

    preset: str
    """A preset's name, or the path of a YAML file."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Values by dotted key to begin with."""


@dataclass
class OpenLaunch(Message):
    """Ask how a run of this preset shall be started."""

    preset: LoadedPreset


@dataclass
class RunAction(Message):
    """Do something to a run, once the person has answered a question."""

    run: RunLayout
    action: Literal["stop", "resume", "delete"]


@dataclass
class CheckpointAction(Message):
    """Do something with a checkpoint, once the person has answered a question."""

    run: RunLayout
    step: int
    action: Literal["adapter", "eval", "predict", "worst", "merge", "report"]


@dataclass
class AskFirst(Message):
    """Something can be done, if the person still wants it."""

    question: str
    answer: str
    """What happens then."""
    detail: str
    then: Callable[[], None]
    """Does it."""


@dataclass
class WorkReady(Message):
    """Work on a checkpoint can begin."""

    work: Work


@dataclass
class ResumeReady(Message):
    """A run can be resumed, if the person still wants it."""

    run: RunLayout
    detail: str
    """What it would do: from which step, on what, for how long."""


@dataclass
class ActionDone(Message):
    """A run action was done, or could not be."""

    text: str
    """One line or more, for the person who asked."""
    problem: bool = False


@dataclass
class RunStarted(Message):
    """A run has been started from the launch screen."""

    run: RunLayout
    warning: str
    """What may go wrong later; empty when nothing is known."""
    watch: bool
    """Whether to show the run now."""


@dataclass
class Alert(Message):
    """Draw attention to the terminal, as `--notify` says: for a stop finding, and at the end of a run."""

    title: str
    """A few words; may hold a run's name."""
    body: str
    """One sentence."""


@dataclass
class Loading(Message):
    """A log is being read."""

    progress: Progress

    def can_replace(self, message: Message) -> bool:
        # What shows a state gives way to what shows a newer one alone.
        return isinstance(message, Loading) and (self.progress.glimpse is None or message.progress.glimpse is not None)


@dataclass
class Unreadable(Message):
    """A log cannot be read, or not any more."""

    reason: str
