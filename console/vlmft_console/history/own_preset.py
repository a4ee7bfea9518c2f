"""Own preset: that of the run that a log belongs to, loaded when asked for: pydantic takes longer than a whole log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmft_core.durable import read_json
from vlmft_core.errors import VlmftError
from vlmft_core.health.thresholds import Settings, Thresholds
from vlmft_core.run_folder.events import RUN_START
from vlmft_core.run_folder.layout import RunLayout, segment_file
from vlmft_core.run_folder.tail import first_record

if TYPE_CHECKING:
    from vlmft_core.preset import Preset

_LARGEST = 1 << 20


class OwnPreset:
    """What a run was started with: the preset of its folder, else what the log's first record tells.

    A preset that cannot be read is no reason not to show a run: it is taken for not known.

    Args:
        log: a segment's file, or the folder that the first one lies in.
    """

    def __init__(self, log: Path) -> None:
        folder = log.absolute() if log.is_dir() else log.absolute().parent
        self._log = segment_file(log, 1) if log.is_dir() else log
        run = RunLayout(folder.parent)
        self._run = run if run.logs == folder else RunLayout(folder)

    @property
    def file(self) -> Path | None:
        """The file that it stands in; None where only the log tells it."""
        return self._run.preset_file if self._run.preset_file.is_file() else None

    @cached_property
    def preset(self) -> Preset | None:
        """The whole preset; None where it is not known."""
        from pydantic import ValidationError

        from vlmft_core.preset import Preset, load_preset

        try:
            return load_preset(self._run.preset_file).preset
        except (VlmftError, OSError):
            pass
        try:
            return None if self._told is None else Preset.model_validate(self._told)
        except ValidationError:
            return None

    @cached_property
    def monitor(self) -> Settings | None:
        """What the health rules go by; None where the preset is not known. Quick where that is what they always do."""
        if self._told is None and not self._run.preset_file.exists():
            return None
        if _says_the_defaults(self._told) and self._file_is_as_told:
            return Thresholds()
        return self.preset.monitor if self.preset else None

    @cached_property
    def _told(self) -> Any:
        first = first_record(self._log)
        return first.get("preset") if first and first["event"] == RUN_START else None

    @property
    def _file_is_as_told(self) -> bool:
        """Whether there is no other preset than the one in the log: no file, or the one that the run began with."""
        if not self._run.preset_file.exists():
            return True
        launched = (read_json(self._run.run_file) or {}).get("preset")
        if not isinstance(launched, dict) or not self._run.preset_file.is_file():
            return False
        try:
            with self._run.preset_file.open("rb") as file:
                return sha256(file.read(_LARGEST)).hexdigest() == launched.get("sha256")
        except OSError:
            return False


def _says_the_defaults(preset: Any) -> bool:
    """Whether this preset has every threshold of the health rules, each at its default."""
    said = preset.get("monitor") if isinstance(preset, Mapping) else None
    return isinstance(said, Mapping) and {**said, "early_stop": ""} == {**asdict(Thresholds()), "early_stop": ""}
