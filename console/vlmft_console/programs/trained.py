"""Trained model: the one a person means, by a run, an adapter's folder or a base model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmft_console.errors import MachineError, RunFolderError
from vlmft_console.paths import preset_folders
from vlmft_console.runs.checkpoint_adapter import checkpoint_at
from vlmft_console.runs.machine_gpus import count_gpus
from vlmft_console.runs.preflight import check_libraries
from vlmft_console.runs.registry import find
from vlmft_console.runs.targets import at_step
from vlmft_core.errors import ModelError
from vlmft_core.figures import counted
from vlmft_core.home import expanded
from vlmft_core.plan.adapter_files import read_adapter
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.base_folder import find_architecture
from vlmft_core.preset import Preset, load_preset
from vlmft_core.run_folder.layout import ADAPTER_CONFIG, RunLayout
from vlmft_core.run_folder.trust import check_own

DEFAULT_PRESET = "best"
"""What says how a model of no run is loaded and what it is asked; for the demo's base it is `demo`."""


@dataclass(frozen=True)
class Trained:
    """A model, and how it is loaded and asked."""

    name: str
    preset: Preset
    adapter: Path | None
    """None for a base alone."""
    folder: Path | None
    """The run folder, or the folder of the adapter; None for a base."""
    is_run: bool
    """Whether the preset is the one of its training."""


def find_trained(target: str, preset_name: str | None, overrides: Sequence[str], *, trust: bool = False) -> Trained:
    """What `target` means.

    Args:
        target: a folder with an adapter (a checkpoint too), a run's name or folder, one of its checkpoints as
            `RUN@STEP`, or a base model: a folder, a hub name, `demo`.
        preset_name: for what is no run's: the preset that says how it is loaded and asked.
        overrides: `section.key=value` changes to that preset, or to the run's.
        trust: take an adapter and its preset although others own them or may change them.

    Raises:
        VlmftError: it means nothing, the adapter or the preset cannot be read or is another person's, or a run is given
            a preset.
    """
    trained = _find(target, preset_name, overrides)
    if trained.adapter is not None and not trust:
        check_own(trained.adapter)
        if trained.is_run:
            run = RunLayout(trained.adapter.parent)
            check_own(run.path, run.preset_file, inside=False)
    return trained


def _find(target: str, preset_name: str | None, overrides: Sequence[str]) -> Trained:
    name, step = at_step(target)
    if step is not None:
        run = find(name)
        checkpoint_at(run, step)
        return _adapter(run.checkpoint(step).absolute(), preset_name, overrides, target)
    path = expanded(target)
    if (path / ADAPTER_CONFIG).is_file():
        return _adapter(path.absolute(), preset_name, overrides)
    if (path / "config.json").is_file() and not RunLayout(path).run_file.is_file():
        return _base(str(path.absolute()), preset_name, overrides)
    return _run_or_base(target, preset_name, overrides)


def _run_or_base(target: str, preset_name: str | None, overrides: Sequence[str]) -> Trained:
    try:
        run = find(target)
    except RunFolderError:
        named = target.count("/") == 1 and not target.startswith((".", "~", "/")) and not Path(target).exists()
        if target == "demo" or named:
            return _base(target, preset_name, overrides)
        raise
    if not (run.adapter / ADAPTER_CONFIG).is_file():
        raise RunFolderError(f"run {run.name} has left no adapter", f"name one of its checkpoints: {run.name}@STEP")
    return _adapter(run.adapter.absolute(), preset_name, overrides, run.name)


def _adapter(path: Path, preset_name: str | None, overrides: Sequence[str], name: str = "") -> Trained:
    own = RunLayout(path.parent).preset_file
    if own.is_file() and preset_name is None:
        loaded = load_preset(own, preset_folders(), overrides)
        check_base(loaded.preset.model.base)
        read_adapter(path, loaded.preset.model.base)
        return Trained(name or f"{path.parent.name}/{path.name}", loaded.preset, path, path.parent, True)
    base = _base(_base_of(path), preset_name, overrides)
    read_adapter(path, base.preset.model.base)
    return Trained(name or path.name, base.preset, path, path, False)


def _base_of(adapter: Path) -> str:
    """The base model that an adapter names.

    Raises:
        ModelError: it names none.
    """
    try:
        base = json.loads((adapter / ADAPTER_CONFIG).read_bytes()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{adapter / ADAPTER_CONFIG} cannot be read: {error}") from None
    if not isinstance(base, str) or not base:
        raise ModelError(f"{adapter / ADAPTER_CONFIG} names no base model")
    return base


def _base(base: str, preset_name: str | None, overrides: Sequence[str]) -> Trained:
    if base == str(DEMO_BASE):
        base = "demo"
    tiny = base == "demo" or find_architecture(base) == find_architecture("demo")  # the demo's, merged
    name = preset_name or ("demo" if tiny else DEFAULT_PRESET)
    loaded = load_preset(name, preset_folders(), [f"model.base={json.dumps(base)}", *overrides])
    check_base(loaded.preset.model.base)
    return Trained(Path(base).name, loaded.preset, None, None, False)


def processes_for(preset: Preset, asked: int | None) -> int:
    """How many processes share the work: as many as asked for, else as many as the preset has GPUs, and at most those
    there are.

    Raises:
        MachineError: libraries or GPUs are missing.
    """
    check_libraries()
    if preset.hardware.device == "cpu":
        return asked or preset.hardware.gpus
    found = count_gpus()
    if found < (asked or 1):
        raise MachineError(
            f"{counted(asked or 1, 'GPU')} asked for, {found} found on this machine",
            "on a CPU: --set hardware.device=cpu",
        )
    return asked or min(preset.hardware.gpus, found)
