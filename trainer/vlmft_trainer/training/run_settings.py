"""Run settings: what a checkpoint was made under beside its plan and its data, and whether a resume has the same."""

from __future__ import annotations

from typing import Any, Final

from vlmft_core.errors import VlmftError
from vlmft_core.plan.base_files import base_digest
from vlmft_core.preset import Preset
from vlmft_core.preset.dump import yaml_line
from vlmft_core.preset.loader import leaves
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.layout import checkpoint_name
from vlmft_core.run_folder.versions import installed_versions

SETTINGS: Final = "settings"
"""Where a checkpoint's plan has them."""

_SECTIONS: Final = ("model", "lora", "data", "training")
_ELSEWHERE: Final = ("data.sources", "lora.start_from", "model.base")
"""What the fingerprints of data and base tell better."""
_FIXED: Final = (
    *("lora.r", "lora.alpha", "lora.rslora", "lora.dora", "lora.modules_to_save"),
    *("lora.target_modules", "lora.target_pattern", "lora.vision_tower"),
    *("model.quantization", "data.max_pixels", "data.min_pixels", "data.train_on", "training.seed"),
)
"""What cannot change on the way: weights would not fit or count for something else, or samples come twice or never."""
_LIBRARIES: Final = ("torch", "transformers", "peft", "deepspeed")


def settings(preset: Preset) -> dict[str, Any]:
    """The preset's fields that a training depends on, what stands for the base's content, and the libraries.

    Raises:
        ModelError: the base's files cannot be read.
    """
    fields = leaves(preset.model_dump(mode="json", include=set(_SECTIONS)))
    found = installed_versions()
    return {
        "preset": {key: value for key, value in fields.items() if key not in _ELSEWHERE},
        "base": base_digest(preset.model.base),
        "libraries": {name: found.get(name, "unknown") for name in _LIBRARIES},
    }


def compare_settings(now: dict[str, Any], start: Checkpoint) -> list[str]:
    """Refuse to resume with what cannot change on the way.

    Args:
        now: as `settings`.

    Returns:
        What there is to say of the rest.

    Raises:
        VlmftError: a field that cannot change was changed, or the base's weights are others.
    """
    name, before = checkpoint_name(start.step), start.plan.get(SETTINGS)
    if not before:
        return [f"{name} does not say what settings it was made with: whether they are still the same is not known"]
    known = before["base"] and now["base"]
    if known and before["base"] != now["base"]:
        raise VlmftError(
            f"{name} was made with another base: the weights of model.base are not what they were",
            "put back the model that the run began with, or start a new run",
        )
    changed = {
        kind: [
            (key, before[kind][key], value)
            for key, value in now[kind].items()
            if _unordered(before[kind].get(key, value)) != _unordered(value)
        ]
        for kind in ("preset", "libraries")
    }
    if fixed := [one for one in changed["preset"] if one[0] in _FIXED]:
        raise VlmftError(
            f"{name} was made with {_said(fixed)}: that cannot change on the way",
            "set it back in the run folder's preset, or start a new run",
        )
    notes = [f"{name} was made with {_said(found)}" for found in changed.values() if found]
    return notes if known else [*notes, f"whether the weights of model.base are those of {name} is not known"]


def _unordered(value: Any) -> Any:
    """A value without its order, which says nothing in lists of layers and reporters."""
    return sorted(value) if isinstance(value, list) else value


def _said(changes: list[tuple[str, Any, Any]]) -> str:
    return ", ".join(f"{key} {_yaml(before)}, now {_yaml(value)}" for key, before, value in changes)


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else yaml_line(value)
