"""Preset table: which presets there are, and how they differ, for the command line and the app."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from vlmft_console.paths import preset_folders, shipped_presets
from vlmft_console.presets.planned_time import PlannedTime, planned_time, time_label
from vlmft_console.presets.values import written
from vlmft_core.errors import PresetError, VlmftError
from vlmft_core.figures import exponent, short
from vlmft_core.plan.gpus import Gpu
from vlmft_core.preset import LoadedPreset, Preset, find_presets, load_preset

RECIPE_PRESETS = ("quick", "standard", "good", "best", "ultimate")
"""Those of the published recipe, from the least effort to the most."""
SHIPPED = (*RECIPE_PRESETS, "demo")
"""The names of the presets that come with vlmft."""

Write = Callable[[Any], str]
"""How a value of a row is written."""


@dataclass(frozen=True)
class Listed:
    """One preset that can be named."""

    name: str
    path: Path
    loaded: LoadedPreset | None
    """None for one that cannot be used."""
    error: str = ""
    """Why it cannot be used."""
    time: PlannedTime = field(default_factory=PlannedTime)
    """How long it trains by its plan."""

    @property
    def own(self) -> bool:
        """Whether it is somebody's own and not one that comes with vlmft."""
        return not is_shipped(self.path)

    @property
    def hides(self) -> bool:
        """Whether a preset that comes with vlmft cannot be named because of this one."""
        return self.own and self.name in SHIPPED


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the comparison: a label, and for each preset its value."""

    label: str
    values: tuple[Any, ...]
    _write: Write

    def texts(self, endless: str = "∞") -> list[str]:
        """The values as people write them; `endless` stands for no limit."""
        return [endless if value is None else self._write(value) for value in self.values]


def listed_presets(gpu: Gpu | None = None) -> list[Listed]:
    """Every preset that can be named: the shipped ones from the least effort to the most, then others by name.

    Args:
        gpu: as `planned_time`.
    """
    folders = preset_folders()
    order = {name: place for place, name in enumerate(SHIPPED)}
    found = sorted(find_presets(folders).items(), key=lambda entry: order.get(entry[0], len(order)))
    presets = []
    for name, path in found:
        try:
            loaded = load_preset(path, folders)
            presets.append(Listed(name, path, loaded, time=planned_time(loaded.preset, gpu)))
        except VlmftError as error:  # one broken file must not hide the others
            presets.append(Listed(name, path, None, str(error)))
    return presets


def is_shipped(path: Path) -> bool:
    """Whether this file is a preset that comes with vlmft, or equal to it: a checkout has them beside an installed
    vlmft, and may hold a person's own, too."""
    if path.stem not in SHIPPED:
        return False
    shipped = shipped_presets() / f"{path.stem}.yaml"
    return path.resolve() == shipped.resolve() or (path.is_file() and _same(path, shipped))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def refuse_shipped_name(name: str, target: Path) -> None:
    """Keep a new file from hiding a preset that comes with vlmft: whoever names that one would get the other.

    Args:
        name: what the preset is to be called.
        target: the file it is to be saved in. One that hides a shipped preset already may be replaced.

    Raises:
        PresetError: a shipped preset has this name.
    """
    if name in SHIPPED and (is_shipped(target) or not target.exists()):
        taken = find_presets(preset_folders())
        free = next(other for number in count(2) if (other := f"{name}-{number}") not in taken)
        raise PresetError(f"{name} is a preset that comes with vlmft", f"choose another name, such as {free}")


def comparison(presets: Sequence[Preset], times: Sequence[PlannedTime]) -> list[ComparisonRow]:
    """The rows of the comparison; the model, the data and LoRA only where the presets differ in them.

    Args:
        times: of the presets.
    """

    def row(label: str, values: list[Any], write: Write = str) -> ComparisonRow:
        return ComparisonRow(label, tuple(values), write)

    lora = [
        row("LoRA Rank", [p.lora.r for p in presets]),
        row("LoRA Alpha", [p.lora.alpha for p in presets]),
        row("LoRA Modules", [p.lora.target_modules for p in presets], " ".join),
    ]
    given = [
        row("Base Model", [_size_of(p.model.base) for p in presets]),
        row("Samples (at most)", [p.data.max_train for p in presets], "{:,}".format),
        row("Effective Batch", [p.training.effective_batch for p in presets]),
    ]
    return [
        *filter(_differs, given),
        row("Epochs", [p.training.epochs for p in presets], short),
        row("Learning Rate", [p.training.learning_rate for p in presets], lambda rate: exponent(rate, 7)),
        row("Scheduler", [p.training.scheduler for p in presets]),
        row("Warmup", [p.training.warmup_ratio for p in presets], _percent),
        row("Weight Decay", [p.training.weight_decay for p in presets]),
        row("Eval Steps", [p.evaluation.eval_steps for p in presets]),
        row("Save Limit", [p.checkpoints.save_total_limit for p in presets]),
        row("Auto Best", [p.checkpoints.load_best_model_at_end for p in presets], value_text),
        row("Dataloader Workers", [p.data.workers for p in presets]),
        *filter(_differs, lora),
        row("Expected Improvement", [p.about.improvement for p in presets]),
        row(time_label("Training Time", times), [time.text for time in times]),
        row("Published Time", [p.about.time for p in presets]),
    ]


def _differs(row: ComparisonRow) -> bool:
    return any(value != row.values[0] for value in row.values)


def value_text(value: Any) -> str:
    """A preset's value in one cell."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value_text(item) for item in value)
    if isinstance(value, dict):
        return " ".join(value_text(item) for item in value.values())
    return written(value, plain=False) if isinstance(value, float) else str(value)


def expected_text(expected: tuple[float, float]) -> str:
    """A range of accuracies in percent, such as `65 to 70 %`."""
    low, high = expected
    return f"{short(low)} %" if low == high else f"{short(low)} to {short(high)} %"


def _size_of(base: str) -> str:
    """`7B` of a base that names its size, else the last part of its name."""
    name = base.rstrip("/").rpartition("/")[2]
    size = re.search(r"\d+(?:\.\d+)?B", name)
    return size[0] if size else name


def _percent(value: float) -> str:
    return f"{short(100 * value)}%"
