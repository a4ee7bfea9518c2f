"""LoRA adapter: which layers get one, its weights gathered, saved, and loaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deepspeed
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vlmft_core.errors import ModelError, first_line
from vlmft_core.figures import counted
from vlmft_core.plan.adapter_files import Adapter, read_adapter
from vlmft_core.plan.base_files import current_name
from vlmft_core.plan.lora_layers import SAVED, VISION, adapted_names, check_saved
from vlmft_core.plan.weight_file import first_names
from vlmft_core.preset.schema import Lora
from vlmft_core.run_folder.layout import ADAPTER_WEIGHTS
from vlmft_trainer.distributed import ranks

Note = Callable[[str], object]
"""Takes one sentence for the person who reads."""


def lora_targets(model: Any, lora: Lora) -> list[str]:
    """Full names of the linear layers that get an adapter.

    gate_proj, up_proj and down_proj exist in the language model and in the vision tower, so names alone would match
    both; the tower's are taken only when the preset asks for them.

    Raises:
        ModelError: a name, or the pattern, matches no layer.
    """
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    candidates = [name for name in linear if ".language_model." in name or (lora.vision_tower and VISION in name)]
    adapted = adapted_names(candidates, lora)
    return [name for name in candidates if name in adapted]


def add_adapter(model: Any, lora: Lora, seed: int) -> Any:
    """The base wrapped by PEFT, with a fresh adapter whose initial weights follow from `seed`.

    The adapter has the base's number format, in which it computes; DeepSpeed keeps and updates its weights in fp32.

    Raises:
        ModelError: `lora.target_modules` or `lora.target_pattern` matches no layer, or a part cannot be trained whole.
    """
    check_saved(lora, tied=bool(model.config.tie_word_embeddings))
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora_targets(model, lora),
        modules_to_save=[SAVED[name] for name in lora.modules_to_save] or None,
        bias="none",
        use_rslora=lora.rslora,
        use_dora=lora.dora,
    )
    torch.manual_seed(seed)
    return get_peft_model(model, config, autocast_adapter_dtype=False)


def start_from(model: Any, adapter: Adapter, note: Note) -> None:
    """Put the weights of an adapter that fits into the fresh one of a model.

    Raises:
        ModelError: they do not all land there.
    """
    _fill_gathered(model, _tensors(adapter), f"adapter {adapter.folder}", note)


def lay_over(model: Any, adapter: str | None, note: Note) -> Any:
    """The base with an adapter on it, in the base's number format, as in training; the base itself for None.

    Args:
        note: takes what a person should know of the adapter, PEFT's warnings among it.

    Raises:
        ModelError: the adapter cannot be loaded whole, or is for another base.
    """
    if adapter is None:
        return model
    found = read_adapter(Path(adapter), str(model.config.name_or_path))
    for text in found.notes:
        note(text)
    where = f"adapter {adapter}"
    try:
        with _warnings_to(note):
            config = LoraConfig.from_pretrained(adapter)
            config.inference_mode = True
            if found.layers:  # by the names of today, whatever they are called in the file
                config.target_modules = sorted(found.layers)
                config.exclude_modules = config.layers_to_transform = config.layers_pattern = None
                for pattern in ("rank_pattern", "alpha_pattern"):
                    setattr(
                        config, pattern, {current_name(name): value for name, value in getattr(config, pattern).items()}
                    )
            tuned = PeftModel(model, config, autocast_adapter_dtype=False)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
        # What peft and json raise for files that are broken, for another model, or where a library is missing.
        raise ModelError(f"{where}: {first_line(error)}") from error
    _fill(tuned, _tensors(found), where, note)
    return tuned


def refuse_lasting_biases(model: Any) -> None:
    """Refuse a model whose base cannot answer beside it: PEFT switches LoRA off, but not the biases trained with it.

    Raises:
        ModelError: its adapter has some.
    """
    if (config := getattr(model, "peft_config", {}).get("default")) and config.bias != "none":
        raise ModelError(
            f"the adapter changes biases of the base (bias {config.bias}), which PEFT cannot take out again",
            "vlmft merge it, then vlmft eval the base and the merged model one by one",
        )


def _tensors(adapter: Adapter) -> dict[str, torch.Tensor]:
    """An adapter's weights by the names that PEFT expects in a file now.

    Raises:
        ModelError: they cannot be read.
    """
    try:
        held = load_file(adapter.folder / ADAPTER_WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"adapter {adapter.folder}: {first_line(error)}") from error
    return {f"base_model.model.{expected}": held[name] for expected, name in adapter.names.items()}


def _fill(model: Any, state: dict[str, torch.Tensor], where: str, note: Note) -> None:
    """Put weights into a model's adapter, all of them and into all of it.

    Raises:
        ModelError: some found no place, some places got none, shapes differ, or a number is not finite.
    """
    if wild := [name for name, weight in state.items() if not weight.isfinite().all()]:
        raise ModelError(f"{where}: numbers that are not finite in {counted(len(wild), 'tensor')}: {first_names(wild)}")
    try:
        with _warnings_to(note):
            result = set_peft_model_state_dict(model, state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise ModelError(f"{where}: {' '.join(str(error).split())[:300]}") from error
    placeless = list(result.unexpected_keys)
    empty = [name for name in result.missing_keys if ".default" in name]
    if placeless or empty:
        raise ModelError(
            f"{where}: {len(placeless)} of {len(state)} tensors found no place in the model"
            f" and {len(empty)} of the adapter's places no tensor: {first_names([*placeless, *empty])}",
            "it was trained on another model, or its files are not complete",
        )
    for part in ("lora_A", "lora_B"):
        sides = [weight for name, weight in state.items() if f".{part}." in name]
        if zero := sum(not weight.any() for weight in sides):
            note(f"{where}: {zero} of its {len(sides)} {part} are all 0: there LoRA changes nothing")


@contextmanager
def _warnings_to(note: Note) -> Iterator[None]:
    """Say what PEFT warns of, instead of leaving it to a log that nobody reads."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = [
        " ".join(str(warning.message).split())
        for warning in caught
        if "peft" in Path(warning.filename).parts and not issubclass(warning.category, FutureWarning)
    ]
    for text in dict.fromkeys(said):  # some are said once for each layer
        note(f"PEFT: {text}")


def adapter_state(model: Any) -> dict[str, torch.Tensor]:
    """The adapter's weights on the CPU, under PEFT's file names; complete on every rank, under ZeRO-3 too.

    Every rank calls it.
    """
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    with deepspeed.zero.GatheredParameters(list(trained.values())):
        weights = {name: weight.detach().cpu().clone() for name, weight in trained.items()}
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, state_dict=weights, save_embedding_layers=False)
    if not state or any(weight.numel() == 0 for weight in state.values()):
        raise RuntimeError("the adapter to save is empty")
    return state


def trained_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the adapter's weights by their names in the model, whether they still learn or not."""
    marks = (".lora_", ".modules_to_save.")
    return {
        name: tuple(getattr(weight, "ds_shape", weight.shape))
        for name, weight in model.named_parameters()
        if any(mark in name for mark in marks)
    }


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter as PEFT reads it. Every rank calls it; rank 0 writes."""
    state = adapter_state(model)
    if ranks.rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
        config = model.peft_config["default"]
        config.inference_mode = True
        config.save_pretrained(folder)
        config.inference_mode = False


def load_adapter(model: Any, folder: Path, note: Note) -> None:
    """Put the weights that `save_adapter` wrote into `model`, under ZeRO-3 too. Every rank calls it.

    Raises:
        ModelError: they do not all land there.
    """
    _fill_gathered(model, load_file(folder / ADAPTER_WEIGHTS), f"adapter {folder}", note)


def _fill_gathered(model: Any, state: dict[str, torch.Tensor], where: str, note: Note) -> None:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    with deepspeed.zero.GatheredParameters(trained, modifier_rank=0):
        _fill(model, state, where, note)
