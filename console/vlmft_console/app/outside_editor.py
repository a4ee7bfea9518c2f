"""Outside editor: the terminal is lent to the person's own, with the draft as a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from textual.app import App, SuspendNotSupported
from textual.screen import Screen

from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.tell import tell
from vlmft_console.presets import Draft
from vlmft_console.presets.keep import drafts_folder
from vlmft_console.presets.outside import editor_command, from_file, to_file
from vlmft_core.durable import write_whole
from vlmft_core.errors import PresetError, VlmftError
from vlmft_core.preset.strict_yaml import read_text


def edit_outside(screen: Screen[None], draft: Draft, changed: Callable[[], None]) -> None:
    """Let the person edit `draft` in `$VISUAL` or `$EDITOR` and take over what comes back.

    The file stays until what it says was taken over or given up on purpose.

    Args:
        screen: the screen that asks.
        draft: what is edited.
        changed: called once the draft has changed.
    """
    file = _new_file(draft.base.name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, to_file(draft))
    except OSError as error:
        tell(screen.app, f"{file} cannot be written: {error.strerror}", problem=True)
        return
    _edit(screen, draft, changed, file)


def _new_file(name: str) -> Path:
    """Where nothing is yet: what was kept before stays there."""
    number = 1
    while (file := drafts_folder() / f"{name}-{os.getpid()}-{number}.yaml").exists():
        number += 1
    return file


def _edit(screen: Screen[None], draft: Draft, changed: Callable[[], None], file: Path) -> None:
    try:
        _run_editor(screen.app, file)
        from_file(draft, read_text(file))
    except _EditorError as error:
        tell(screen.app, f"{error}; the file is kept: {file}", problem=True)
    except PresetError as error:
        _ask_again(screen, draft, changed, file, str(error))
    else:
        file.unlink(missing_ok=True)
        changed()


class _EditorError(VlmftError):
    """The editor did not do its work, so its file is not read."""


def _run_editor(app: App[object], file: Path) -> None:
    """Lend the terminal to the person's editor until that ends.

    Raises:
        _EditorError: the editor cannot be started, or says that it failed.
    """
    try:
        command = editor_command()
        with app.suspend():
            status = subprocess.call([*command, str(file)])
    except PresetError as error:
        raise _EditorError(str(error)) from None
    except SuspendNotSupported:
        raise _EditorError("this terminal cannot be lent to another program") from None
    except OSError as error:
        raise _EditorError(f"{command[0]} cannot be started: {error.strerror}", "set $VISUAL or $EDITOR") from None
    if status:
        raise _EditorError(f"{command[0]} ended with status {status}: nothing was taken over")


def _ask_again(screen: Screen[None], draft: Draft, changed: Callable[[], None], file: Path, mistakes: str) -> None:
    def answered(answer: str | None) -> None:
        if answer == "edit":
            _edit(screen, draft, changed, file)
        elif answer == "drop":
            file.unlink(missing_ok=True)
        else:
            tell(screen.app, f"the file is kept: {file}")

    screen.app.push_screen(
        ConfirmScreen(
            "The file has mistakes; nothing was taken over.",
            (Answer("e", "edit it again", "edit"), Answer("d", "drop what was typed there", "drop")),
            mistakes,
        ),
        answered,
    )
