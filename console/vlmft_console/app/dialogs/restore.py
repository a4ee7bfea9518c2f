"""Unsaved changes of an earlier session: offered when their preset is opened again."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.presets import Draft
from vlmft_console.presets.keep import Keeper, Kept
from vlmft_core.errors import in_words


def offer_kept(screen: Screen[None], draft: Draft, changed: Callable[[], None]) -> None:
    """Ask what to do with the changes that a session left, if one did.

    Args:
        screen: the screen that edits `draft`.
        draft: takes the changes over, where they are wanted.
        changed: called after that.
    """
    keeper = Keeper(draft.base)
    kept = keeper.left()
    if kept is None:
        return
    theirs = kept.elsewhere != "" or kept.file == keeper.file  # of a session that may go on, and keeps them itself
    if kept.texts == draft.unsaved():  # such as advice that was opened before: there is nothing to choose
        if not theirs:
            _forget(screen, kept)
        return

    def answered(answer: str | None) -> None:
        if answer == "restore":
            draft.take(kept.texts)
            keeper.keep(draft.unsaved())
            changed()
        if answer == "discard" or (answer and not theirs):
            _forget(screen, kept)

    screen.app.push_screen(
        ConfirmScreen(
            f"{draft.base.name} has unsaved changes from {kept.when:%Y-%m-%d %H:%M}{_where(kept)}.",
            (
                Answer("r", "restore: take these values into the form", "restore"),
                Answer("d", "discard: forget them for good", "discard"),
            ),
            "\n".join(one_line(f"{path}: {text}") for path, text in kept.texts.items()),
            cancel="decide later: they are kept, and not shown now",
        ),
        answered,
    )


def _forget(screen: Screen[None], kept: Kept) -> None:
    try:
        kept.file.unlink(missing_ok=True)
    except OSError as error:  # such as a disk that is read-only by now
        tell(screen.app, f"they are kept, and offered again: {in_words(error)}", problem=True)


def _where(kept: Kept) -> str:
    return f" on {one_line(kept.elsewhere)}, where they may still be edited" if kept.elsewhere else ""
