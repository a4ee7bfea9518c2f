"""LoRA adapter: which layers get one, its weights gathered, saved, and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import deepspeed
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vlmft_core.errors import ModelError, first_line
from vlmft_core.plan.lora_layers import VISION, adapted_names
from vlmft_core.preset.schema import Lora
from vlmft_core.run_folder.layout import ADAPTER_WEIGHTS
from vlmft_trainer.distributed import ranks


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

    Raises:
        ModelError: `lora.target_modules` or `lora.target_pattern` matches no layer.
    """
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora_targets(model, lora),
        bias="none",
        use_rslora=lora.rslora,
        use_dora=lora.dora,
    )
    torch.manual_seed(seed)
    return get_peft_model(model, config)


def lay_over(model: Any, adapter: str | None) -> Any:
    """The base with an adapter on it, in the base's number format, as in training; the base itself for None.

    Raises:
        ModelError: the adapter cannot be loaded, or is for another base.
    """
    if adapter is None:
        return model
    try:
        return PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        # What peft, json and safetensors raise for files that are missing, broken or for another model.
        raise ModelError(f"adapter {adapter}: {first_line(error)}") from error


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


def load_adapter(model: Any, folder: Path) -> None:
    """Put a saved adapter's weights into `model`, under ZeRO-3 too. Every rank calls it."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    with deepspeed.zero.GatheredParameters(trained, modifier_rank=0):
        set_peft_model_state_dict(model, load_file(folder / ADAPTER_WEIGHTS))
