"""Crash report: what is left of an unexpected error, a file with its traceback without the values of variables."""

from __future__ import annotations

import traceback
from pathlib import Path

from vlmft_console.figures import stamp
from vlmft_console.sanitize import redact
from vlmft_core.errors import VlmftError, in_words


def write_report(error: BaseException) -> Path | None:
    """Write the traceback of `error`, secrets redacted, readable by the owner alone.

    Returns:
        The file, or None when it could not be written.
    """
    import platformdirs

    from vlmft_core.durable import write_whole

    folder = Path(platformdirs.user_state_dir("vlmft"))
    path = folder / f"crash-{stamp()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, redact("".join(traceback.format_exception(error))))
    except OSError:
        return None
    return path


def crash_line(error: BaseException) -> str:
    """One line for the person in front of it; the rest is in the report."""
    path = write_report(error)
    kept = f"; the traceback is in {path}" if path else ""
    return f"vlmft-console: unexpected {type(error).__name__}. Runs go on{kept}"


def words_of(error: Exception) -> str:
    """What is said of an error that ends a thread: a mistake has its own words, a fault of ours those of a crash."""
    return in_words(error) if isinstance(error, VlmftError | OSError) else crash_line(error)
