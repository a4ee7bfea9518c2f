"""Adapter files: whether every tensor of a LoRA adapter has its place in a base, told by names and headers alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vlmft_core.errors import ModelError
from vlmft_core.figures import counted
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.base_files import current_name
from vlmft_core.plan.base_folder import find_architecture, read_settings, resolve_base
from vlmft_core.plan.lora_layers import under
from vlmft_core.plan.weight_file import Shapes, check_numbers, first_names, read_shapes
from vlmft_core.run_folder.layout import ADAPTER_CONFIG, ADAPTER_PICKLE, ADAPTER_WEIGHTS

_PREFIX = "base_model.model."
"""What PEFT puts before a layer's name in the model, sometimes twice."""
_PART = re.compile(
    r"(?P<layer>.+)\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)"
    r"(?:\.default)?(?P<rest>\.weight|\.bias)?"
)
BEYOND = (
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "lora_bias",
    "use_qalora",
    "alora_invocation_tokens",
)
"""Settings of PEFT that bring tensors of kinds which only PEFT knows: it is left to it where they belong."""
_PLAIN_STARTS = (True, False, None, "true", "false", "default", "gaussian", "eva", "orthogonal")
"""What `init_lora_weights` can be for the base to stay as it is. Others, as PiSSA, change it under the adapter: without
the weights that they left there, which no file holds, the adapter means something else."""
_KINDS = {
    "r": int,
    "lora_alpha": int | float,
    "rank_pattern": dict | None,
    "alpha_pattern": dict | None,
    "modules_to_save": list | None,
    "target_modules": list | str | None,
    "exclude_modules": list | str | None,
}
"""What PEFT's settings can be, those that are looked at."""


class Part(NamedTuple):
    """A LoRA tensor's layer, by its full name in the model, and which of the layer's tensors it is."""

    layer: str
    kind: str


@dataclass(frozen=True)
class Adapter:
    """An adapter whose tensors fit its base."""

    folder: Path
    config: Mapping[str, Any]
    """PEFT's configuration."""
    names: Mapping[str, str]
    """Names in the file by those that the model of today expects."""
    layers: frozenset[str]
    """Full names of the layers that have LoRA."""
    shapes: Mapping[str, tuple[int, ...]]
    """By today's names."""
    notes: tuple[str, ...]
    """What a person should know about it, one sentence each."""


def read_adapter(folder: Path, base: str) -> Adapter:
    """An adapter's files, looked at for the base it is to be laid over.

    Args:
        base: `model.base`.

    Raises:
        ModelError: a file is missing or not whole, it is no LoRA adapter, or tensors are missing, have no place in the
            base or do not fit.
    """
    config = read_settings(folder / ADAPTER_CONFIG)
    where = f"adapter {folder}"
    _check_config(where, config)
    weights = folder / ADAPTER_WEIGHTS
    if not weights.exists() and (folder / ADAPTER_PICKLE).exists():
        raise ModelError(
            f"{where}: its weights are in {ADAPTER_PICKLE}",
            "load it with peft and save_pretrained it: vlmft reads safetensors",
        )
    try:
        held = read_shapes(weights)
        check_numbers(weights)
    except ModelError as error:
        raise ModelError(f"adapter {error.message}", error.hint) from None
    if not held:
        raise ModelError(f"{where}: {ADAPTER_WEIGHTS} holds no tensors")
    names: dict[str, str] = {}
    for name in held:
        if (expected := expected_name(name)) in names:
            raise ModelError(f"{where}: {name} and {names[expected]} are the same tensor")
        names[expected] = name
    shapes = {expected: held[name] for expected, name in names.items()}
    parts = {name: part for name in shapes if (part := lora_part(name))}
    layers = frozenset(part.layer for part in parts.values())
    _check_pairs(where, config, parts, shapes)
    if (architecture := find_architecture(base)) and not any(config.get(name) for name in BEYOND):
        _check_places(where, base, config, architecture, parts, shapes)
    return Adapter(folder, config, names, layers, shapes, tuple(_notes(where, base, config, names)))


def _check_config(where: str, config: Mapping[str, Any]) -> None:
    """Refuse a configuration that is not one of a plain LoRA adapter."""
    if (kind := config.get("peft_type")) != "LORA":
        raise ModelError(f"{where}: its peft_type is {kind}", "only LoRA adapters can be used")
    for name, kinds in _KINDS.items():
        if not isinstance(config.get(name), kinds):
            raise ModelError(
                f"{where}: {name} in {ADAPTER_CONFIG} cannot be {config.get(name)!r}", "copy the adapter again"
            )
    alpha = config["lora_alpha"]
    if not math.isfinite(alpha) or (alpha == 0 and not config.get("alpha_pattern")):
        does = "change nothing" if alpha == 0 else "make every number NaN"
        raise ModelError(f"{where}: lora_alpha in {ADAPTER_CONFIG} is {alpha}: it would {does}")
    if (start := config.get("init_lora_weights")) not in _PLAIN_STARTS:
        raise ModelError(
            f"{where}: its init_lora_weights is {str(start)[:40]!r}, which changes the base under the adapter",
            "save it with PEFT's path_initial_model_for_weight_conversion: that makes a plain LoRA adapter of it",
        )


def expected_name(name: str) -> str:
    """The name, without PEFT's prefix, under which the model of today expects a tensor of an adapter file."""
    while name.startswith(_PREFIX):
        name = name.removeprefix(_PREFIX)
    if found := _PART.fullmatch(name):
        return f"{current_name(found['layer'])}.{found['part']}{found['rest'] or ''}"
    return current_name(name)


def lora_part(name: str) -> Part | None:
    """What a tensor of today's name is to LoRA; None for one that is trained whole."""
    found = _PART.fullmatch(name)
    return Part(found["layer"], found["part"]) if found and found["rest"] != ".bias" else None


def _check_pairs(where: str, config: Mapping[str, Any], parts: Mapping[str, Part], shapes: Shapes) -> None:
    """Refuse layers that lack one of their tensors, and ranks that the configuration does not have."""
    there = set(parts.values())
    dora = ["lora_magnitude_vector"] if config.get("use_dora") else []
    for layer in sorted({part.layer for part in there}):
        first = "lora_embedding" if any((layer, f"lora_embedding_{side}") in there for side in "AB") else "lora"
        if missing := [kind for kind in (f"{first}_A", f"{first}_B", *dora) if (layer, kind) not in there]:
            raise ModelError(f"{where}: {layer} lacks {missing[0]}", "copy the adapter again")
    ranks = {config.get("r"), *(config.get("rank_pattern") or {}).values()}
    wrong = [
        name
        for name, (_, kind) in parts.items()
        if kind != "lora_magnitude_vector"
        and shapes[name][0 if kind.endswith("A") else 1 :][:1] not in {(rank,) for rank in ranks}
    ]
    if wrong:
        raise ModelError(
            f"{where}: {len(wrong)} of {len(shapes)} tensors have another rank than {ADAPTER_CONFIG} says"
            f" (r {config.get('r')}): {first_names(wrong)}",
            "its two files do not belong together: copy both again",
        )


def _check_places(
    where: str,
    base: str,
    config: Mapping[str, Any],
    architecture: Architecture,
    parts: Mapping[str, Part],
    shapes: Shapes,
) -> None:
    """Refuse tensors without a place in the base, of another shape, and layers that the configuration names in vain."""
    weights = architecture.tensors()
    linear = {**architecture.linear_layers(vision_tower=True), "lm_head": (architecture.hidden, architecture.vocab)}
    whole = {name for name in weights if under(name, config.get("modules_to_save") or [])}
    biases = config.get("bias", "none") != "none"
    placeless = [
        name
        for name in shapes
        if not (f"{parts[name].layer}.weight" in weights if name in parts else name in weights or biases)
    ]
    if beside := [name for name in placeless if ".base_layer." in name]:
        raise ModelError(
            f"{where}: it holds {counted(len(beside), 'tensor')} of the base beside its own: {first_names(beside)}",
            "load it with peft, and save_pretrained it with save_embedding_layers=False",
        )
    if placeless:
        raise ModelError(
            f"{where}: {len(placeless)} of {len(shapes)} tensors have no place in {base}: {first_names(placeless)}",
            "it was trained on another model",
        )
    misfits = [
        name
        for name, part in parts.items()
        if part.layer in linear and not _fits(part.kind, shapes[name], linear[part.layer])
    ]
    misfits += [name for name in weights.keys() & shapes.keys() if math.prod(shapes[name]) != math.prod(weights[name])]
    if misfits:
        raise ModelError(
            f"{where}: {len(misfits)} of {len(shapes)} tensors do not fit {base}: {first_names(misfits)}",
            "it was trained on a model of another size",
        )
    wanted = {name for name in linear if _targeted(name, config)}
    if lost := wanted - {part.layer for part in parts.values()}:
        raise ModelError(
            f"{where}: {len(lost)} of the {len(wanted)} layers that {ADAPTER_CONFIG} names have no tensors:"
            f" {first_names(lost)}",
            "the file is not complete: copy the adapter again",
        )
    if lost := whole - shapes.keys():
        raise ModelError(
            f"{where}: its modules_to_save lack {counted(len(lost), 'tensor')}: {first_names(lost)}", "copy it again"
        )


def _fits(kind: str, shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    inputs, outputs = size
    if kind == "lora_A":
        return len(shape) == 2 and shape[1] == inputs
    return math.prod(shape) == outputs if kind == "lora_magnitude_vector" else len(shape) == 2 and shape[0] == outputs


def _targeted(layer: str, config: Mapping[str, Any]) -> bool:
    """Whether PEFT's configuration puts LoRA on a layer, by its name of today or an older one."""
    if under(layer, config.get("modules_to_save") or []):
        return False
    names = list(_aliases(layer))
    if any(_matches(config.get("exclude_modules"), name) for name in names):
        return False
    targets = config.get("target_modules")
    if isinstance(targets, str) and targets.lower() == "all-linear":
        return layer != "lm_head"
    if not any(_matches(targets, name) for name in names):
        return False
    chosen = config.get("layers_to_transform")
    number = re.search(r"\.(\d+)\.", layer)
    if chosen is None or isinstance(targets, str) or number is None:
        return True
    if config.get("layers_pattern"):
        return False  # only PEFT knows: what it misses it says
    return int(number[1]) in (chosen if isinstance(chosen, list) else [chosen])


def _matches(targets: object, name: str) -> bool:
    if isinstance(targets, str):
        try:
            return re.fullmatch(targets, name) is not None
        except re.error:
            return False
    return isinstance(targets, list) and any(name == one or name.endswith(f".{one}") for one in targets)


def _aliases(layer: str) -> Iterator[str]:
    """A layer's names in the model of this and of older versions of transformers."""
    yield layer
    if layer.startswith("model.visual."):
        yield layer.removeprefix("model.")
    elif layer.startswith("model.language_model."):
        yield layer.replace("language_model.", "", 1)


def _notes(where: str, base: str, config: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    renamed = [name for expected, name in names.items() if name.removeprefix(_PREFIX) != expected]
    if renamed:
        yield f"{where}: {len(renamed)} of {len(names)} tensors have old names of transformers or PEFT; they are mapped"
    named = config.get("base_model_name_or_path")
    if (
        isinstance(named, str)
        and named
        and Path(resolve_base(named)).name.lower() != Path(resolve_base(base)).name.lower()
    ):
        yield f"{where}: it names {named} as its base, and is laid over {base}"
