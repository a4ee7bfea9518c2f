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
ALL_LINEAR = "all-linear"
"""Among `lora.target_modules`: every linear layer."""
SAVED = {"lm_head": "lm_head", "embed_tokens": "model.language_model.embed_tokens", "merger": "model.visual.merger"}
"""Full names of what `lora.modules_to_save` can name."""
_VISION_KINDS = ("qkv", "proj", "0", "2")
"""Last parts of names that only layers of the vision tower have."""


def adapted_names(layers: Iterable[str], lora: Lora) -> set[str]:
    """Which of the linear layers, given by their full names, get an adapter.

    Args:
        layers: those that may get one: the language model's, and the vision tower's if it is to be adapted.

    Raises:
        ModelError: a name, or the pattern, matches none, or no layer of the vision tower where that is to be adapted;
            the message has the names there are.
    """
    names = [name for name in layers if not under(name, lora.modules_to_save)]
    found = _matching(names, lora)
    if lora.vision_tower and not any(VISION in name for name in found):
        asked = "target_modules" if lora.target_pattern is None else "target_pattern"
        kinds = dict.fromkeys(name.rpartition(".")[2] for name in names if VISION in name)
        raise ModelError(
            f"lora.vision_tower: true, but lora.{asked} matches no layer of the vision tower",
            f"its layers are {', '.join(kinds)}; lora.modules_to_save=[merger] trains its merger whole",
        )
    return found


def without_idle_tower(lora: Lora, layers: Iterable[str]) -> Lora:
    """The options without `vision_tower` where no layer of it matches. No new run may ask for that; runs of older
    versions did, and trained the language model alone.

    Args:
        layers: full names of all linear layers.

    Raises:
        ModelError: a name, or the pattern, matches no layer.
    """
    if not lora.vision_tower or any(VISION in name for name in _matching(list(layers), lora)):
        return lora
    return lora.model_copy(update={"vision_tower": False})


def trains_vision(lora: Lora) -> bool:
    """Whether anything in the vision tower learns, so that it needs a backward."""
    return lora.vision_tower or "merger" in lora.modules_to_save


def check_saved(lora: Lora, *, tied: bool) -> None:
    """Refuse to train a part whole that shares its weights with another.

    Raises:
        ModelError: a part that shares its weights with another is to be trained whole.
    """
    shared = [name for name in lora.modules_to_save if name != "merger"]
    if tied and shared:
        raise ModelError(
            f"lora.modules_to_save: {shared[0]} cannot be trained whole: in this base lm_head and embed_tokens are one",
            "train adapters on other layers, or the merger",
        )


def under(name: str, modules: Iterable[str]) -> bool:
    """Whether a layer or weight, by its full name, belongs to one of the modules, by the ends of their names."""
    return any(f".{module}." in f".{name}." for module in modules)


def _matching(names: list[str], lora: Lora) -> set[str]:
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
        if wanted not in (ALL_LINEAR, *kinds):
            raise _no_such_layer(wanted, kinds, vision_tower=lora.vision_tower)
    if ALL_LINEAR in lora.target_modules:
        return set(names)
    return {name for name in names if name.rpartition(".")[2] in lora.target_modules}


def _no_such_layer(wanted: str, kinds: list[str], *, vision_tower: bool) -> ModelError:
    text = f"lora.target_modules: {shown(wanted)} matches no layer"
    if wanted in _VISION_KINDS and not vision_tower:
        return ModelError(f"{text} of the language model", "it is in the vision tower: set lora.vision_tower=true")
    near = difflib.get_close_matches(wanted, kinds, n=1)
    text += f", did you mean {near[0]}?" if near else ""
    return ModelError(text, f"valid names: {', '.join(kinds)}")
