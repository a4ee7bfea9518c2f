"""Starting adapter: the one that a training goes on from, and whether the preset asks for what it has."""

from __future__ import annotations

from pathlib import Path

from vlmft_core.errors import ModelError
from vlmft_core.figures import counted
from vlmft_core.home import expanded
from vlmft_core.plan.adapter_files import BEYOND, Adapter, read_adapter
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.base_folder import find_architecture
from vlmft_core.plan.lora_layers import VISION, adapted_names
from vlmft_core.plan.weight_file import first_names
from vlmft_core.preset.schema import Lora
from vlmft_core.run_folder.layout import ADAPTER_CONFIG, RunLayout


def adapter_folder(path: str) -> Path:
    """The folder of the adapter that a path means: an adapter's own, or a run's with the adapter it has left.

    Raises:
        ModelError: there is none.
    """
    folder = expanded(path)
    for place in (folder, RunLayout(folder).adapter):
        if (place / ADAPTER_CONFIG).is_file():
            return place.absolute()
    raise ModelError(
        f"lora.start_from: {path} {'holds no adapter' if folder.exists() else 'does not exist'}",
        f"give a folder with {ADAPTER_CONFIG}, or a run that has left an adapter",
    )


def starting_adapter(lora: Lora, base: str) -> Adapter | None:
    """The adapter that a training goes on from; None where it begins with a fresh one.

    Raises:
        ModelError: it cannot be used, or the preset asks for another rank, scale or other layers than it has.
    """
    if lora.start_from is None:
        return None
    adapter = read_adapter(adapter_folder(lora.start_from), base)
    where, config = f"lora.start_from: {adapter.folder}", adapter.config
    beyond = [name for name in (*BEYOND, "rank_pattern", "alpha_pattern") if config.get(name)]
    if config.get("bias", "none") != "none":
        beyond.append("bias")
    if beyond:
        raise ModelError(
            f"{where} uses PEFT's {beyond[0]}, which vlmft does not train", "merge it and train on the result"
        )
    own = {"r": config.get("r"), "alpha": config.get("lora_alpha")}
    own |= {"rslora": bool(config.get("use_rslora")), "dora": bool(config.get("use_dora"))}
    own["modules_to_save"] = sorted(str(name).rpartition(".")[2] for name in config.get("modules_to_save") or [])
    asked = {name: getattr(lora, name) for name in own} | {"modules_to_save": sorted(lora.modules_to_save)}
    differing = [name for name in own if own[name] != asked[name]]
    if differing:
        values = ", ".join(f"{name} {_yaml(own[name])}, not {_yaml(asked[name])}" for name in differing)
        mend = " ".join(f"lora.{name}={_yaml(own[name])}" for name in differing)
        raise ModelError(f"{where} has {values}", f"set {mend}")
    if architecture := find_architecture(base):
        layers = adapted_names(architecture.linear_layers(vision_tower=lora.vision_tower), lora)
        if layers != adapter.layers:
            raise ModelError(
                f"{where} has {counted(len(adapter.layers), 'layer')}, the preset's lora section asks for {len(layers)}"
                f" (in one and not in the other: {first_names(layers ^ adapter.layers)})",
                _layers_hint(architecture, lora, adapter.layers),
            )
    return adapter


def _layers_hint(architecture: Architecture, lora: Lora, layers: frozenset[str]) -> str:
    """How the preset asks for an adapter's layers."""
    kinds = sorted({name.rpartition(".")[2] for name in layers})
    tower = any(VISION in name for name in layers)
    fitting = lora.model_copy(update={"target_modules": kinds, "target_pattern": None, "vision_tower": tower})
    try:
        if adapted_names(architecture.linear_layers(vision_tower=tower), fitting) == layers:
            named = f"lora.target_modules=[{', '.join(kinds)}] lora.vision_tower={_yaml(tower)}"
            return f"set {named} lora.target_pattern=null"
    except ModelError:
        pass
    return "give a lora.target_pattern that matches its layers and no others"


def _yaml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
