"""Going to a moment of a replay that a person names."""

from __future__ import annotations

import re

from vlmft_console.history.replay import Replay
from vlmft_trainer.errors import VlmftError

_STEP = re.compile(r"\d{1,12}")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d*)?) ?%")
_TIME = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d\d)")


def go_to(replay: Replay, text: str) -> None:
    """Move a replay.

    Args:
        replay: is moved.
        text: a step (`1250` or `1,250`), a share of the time (`40%`), or a time since the start (`12:05`, `1:20:00`).

    Raises:
        VlmftError: the text is none of these; the replay has not moved.
    """
    text = text.strip()
    if _STEP.fullmatch(number := re.sub(r"[,_ ]", "", text)):
        replay.at_step(int(number))
    elif share := _SHARE.fullmatch(text):
        replay.at_time(replay.seconds * float(share[1]) / 100)
    elif time := _TIME.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in time.groups())
        replay.at_time(3600.0 * hours + 60.0 * minutes + seconds)
    else:
        raise VlmftError(f"{text!r} is no moment", "a step (1250), a share (40%) or a time (1:20:00)")
