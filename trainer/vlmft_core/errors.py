"""Errors that are the user's to mend, one line that says what, where and how; and the exit codes of every program."""

from typing import Final

EXIT_FAILED: Final = 1
"""The run failed or crashed."""
EXIT_MISTAKE: Final = 2
"""Something in the preset, the options, the data or the model has to be mended; nothing was started."""
EXIT_STOP_FOUND: Final = 3
"""A log holds a health finding that asks for a stop."""
EXIT_BUSY: Final = 75
"""The run folder has an owner already, or living ranks (EX_TEMPFAIL)."""
EXIT_INTERRUPTED: Final = 130
"""The run was stopped on request, with a checkpoint (128 + SIGINT, as shells count)."""


class VlmftError(Exception):
    """Base of every error shown to a user without a traceback.

    Args:
        message: what is wrong and where (file, line, key), one sentence, no trailing newline.
        hint: how to mend it, one sentence; empty when the message already says so.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class PresetError(VlmftError):
    """A preset cannot be read, or says something that cannot be trained."""


class DataError(VlmftError):
    """A data source is missing, has the wrong schema, or is too broken to train on."""


class ModelError(VlmftError):
    """The base model is missing or incomplete, or the LoRA options do not fit it."""


def first_line(error: BaseException) -> str:
    """What an error says, without what follows in further lines; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def in_words(error: BaseException) -> str:
    """What an error says to a person: of one of the operating system which file and why, without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
