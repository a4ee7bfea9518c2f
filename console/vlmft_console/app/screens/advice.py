"""From a health finding to the preset that it advises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from vlmft_core.run_folder.layout import RunLayout

if TYPE_CHECKING:
    from vlmft_console.app.app import VlmftConsole
    from vlmft_console.history.opened import OpenedLog
    from vlmft_core.health import Finding


def follow_advice(screen: Screen[None], log: OpenedLog | None, finding: Finding | None) -> None:
    """Open the preset that a finding advises, as a child of the run's own, in the editor; or say why there is none.

    Args:
        screen: where the person is.
        log: what is shown there; None while it is read.
        finding: the selected one; None when there is none.
    """
    app = cast("VlmftConsole", screen.app)
    if log is None or finding is None:
        app.tell("There is no finding to act on.")
    elif not finding.advice.changes:
        app.tell(f"{finding.rule}: {finding.advice.text}")
    elif (preset := _preset_file(log)) is None:
        app.tell("No preset of ours stands beside this log, so there is none to change.")
    else:
        from vlmft_console.app.screens.editor import EditorScreen

        app.push_screen(EditorScreen(str(preset), changes=dict(finding.advice.changes)))


def _preset_file(log: OpenedLog) -> Path | None:
    """The preset of a run, or the one that was kept with its log. Other programs' logs have none of ours."""
    if log.own is None:
        return None
    files = (RunLayout(folder).preset_file for folder in (log.path, log.path.parent, log.path.parent.parent))
    return next((file for file in files if file.is_file()), None)
