"""Stop request: the file by which anyone asks a run to end. Its ranks and its supervisor look for it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Final

from vlmft_core.durable import as_json, read_json, write_whole
from vlmft_core.run_folder.layout import RunLayout

PATIENCE_SECONDS: Final = 600.0
"""How long the ranks get to reach a step boundary and save a checkpoint, unless a request says otherwise."""


@dataclass(frozen=True)
class StopRequest:
    """Asks the ranks to save a checkpoint and end at the next step boundary, or the supervisor to end them now.

    Attributes:
        reason: who or what asked, one line.
        now: skip the checkpoint.
        patience: seconds that the ranks get before they are signalled.
        signal: name of the signal that made the supervisor ask; None where a person did.
        t: when it was made, unix time.
    """

    reason: str
    now: bool = False
    patience: float = PATIENCE_SECONDS
    signal: str | None = None
    t: float = field(default_factory=time.time, compare=False)

    def write(self, run: RunLayout) -> None:
        """Put the request in place of any other.

        Raises:
            OSError: it cannot be written.
        """
        write_whole(run.stop_file, as_json(asdict(self)))

    @classmethod
    def read(cls, run: RunLayout) -> StopRequest | None:
        """The run's request, if there is one; one that cannot be read still asks for a stop."""
        if not run.stop_file.exists():
            return None
        record = read_json(run.stop_file) or {}
        return cls(
            reason=str(record.get("reason", "")),
            now=record.get("now") is True,
            patience=_seconds(record.get("patience"), PATIENCE_SECONDS),
            signal=str(record["signal"]) if record.get("signal") else None,
            t=_seconds(record.get("t"), 0.0),
        )


def _seconds(value: object, default: float) -> float:
    """`value` if it is a number that a clock could show."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e12 else default
