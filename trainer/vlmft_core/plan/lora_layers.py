"""LoRA layers: which layers of a base model get an adapter."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from vlmft_core.errors import ModelError
from vlmft_core.preset.schema import Lora
from vlmft_core.preset.strict_yaml import shown

VISION = ".visual."
"""Part of the full names of all layers of the vision tower."""
_VISION_KINDS = ("qkv", "proj", "0", "2")
"""Last parts of names that only layers of the vision tower have."""


def adapted_names(layers: Iterable[str], lora: Lora) -> set[str]:
    """Which of the linear layers, given by their full names, get an adapter.

    Args:
        layers: those that may get one: the language model's, and the vision tower's if it is to be adapted.

    Raises:
        ModelError: a name, or the pattern, matches none; the message has the names there are.
    """
    names = list(layers)
    if lora.target_pattern is not None:
        pattern = re.compile(lora.target_pattern)
        if found := {name for name in names if pattern.fullmatch(name)}:
            return found
        raise ModelError(
            f"lora.target_pattern: {shown(lora.target_pattern)} matches no layer"
            + ("" if lora.vision_tower else " of the language model"),
            f"it must match a whole name, such as {names[0]}",
        )
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    for wanted in lora.target_modules:
        if wanted not in kinds:
            raise _no_such_layer(wanted, kinds, vision_tower=lora.vision_tower)
    return {name for name in names if name.rpartition(".")[2] in lora.target_modules}


def _no_such_layer(wanted: str, kinds: list[str], *, vision_tower: bool) -> ModelError:
    text = f"lora.target_modules: {shown(wanted)} matches no layer"
    if wanted in _VISION_KINDS and not vision_tower:
        return ModelError(f"{text} of the language model", "it is in the vision tower: set lora.vision_tower=true")
    near = difflib.get_close_matches(wanted, kinds, n=1)
    text += f", did you mean {near[0]}?" if near else ""
    return ModelError(text, f"valid names: {', '.join(kinds)}")
