"""Finding of a health rule, with its advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["caution", "stop"]
CAUTION: Severity = "caution"
STOP: Severity = "stop"


@dataclass(frozen=True)
class Advice:
    """What to do about a finding."""

    text: str
    """One or two plain sentences."""
    changes: tuple[tuple[str, object], ...] = ()
    """Changes of the preset for the next run, as (`section.key`, value). Each differs from the run's own value, where
    that is known, and goes the way the text says."""


@dataclass(frozen=True)
class Finding:
    """Something a rule has found. Raised once, replaced by an updated one while it holds, and resolved when not."""

    rule: str
    """The rule's name, such as `eval_rising`."""
    number: int
    """Identity: 0, 1, … in the order in which a `Health` raised its findings. An update keeps it."""
    severity: Severity
    """How bad it is now; for a resolved one, how bad it was last."""
    step: int
    """Where it was raised."""
    epoch: float | None
    """The same in epochs; None where the log does not tell."""
    message: str
    """What was found, with the figures that say so, as of `seen`."""
    advice: Advice
    seen: int
    """The newest step at which it was updated."""
    resolved: int | None = None
    """The step from which it no longer held; None while it does."""

    @property
    def active(self) -> bool:
        """Whether it still holds."""
        return self.resolved is None
