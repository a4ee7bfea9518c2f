"""Errors of the console."""

from __future__ import annotations

from vlmft_core.errors import VlmftError


class RunFolderError(VlmftError):
    """A run folder cannot be used."""


class RunBusyError(RunFolderError):
    """The run has a supervisor, or living ranks, already."""


class UnconfirmedError(RunFolderError):
    """The run may be in a queue, and its number there is not known."""


class MachineError(VlmftError):
    """This machine lacks something the run needs."""


class UnansweredError(MachineError):
    """A host of the run said nothing, and no other said anything against it."""
