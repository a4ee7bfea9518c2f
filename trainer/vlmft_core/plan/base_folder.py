"""Base folder: where a base model lies on this machine, and the architecture that its `config.json` tells."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Literal

from vlmft_core.errors import ModelError
from vlmft_core.home import expanded
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN, Architecture
from vlmft_core.preset.strict_yaml import shown
from vlmft_core.run_folder.layout import ADAPTER_CONFIG

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def resolve_base(base: str) -> str:
    """What to load for `model.base`: the shipped model's folder for `demo`, else `base` as it is (`~` expanded)."""
    if base == "demo":
        return str(DEMO_BASE)
    return str(expanded(base)) if base.startswith("~") else base


def find_architecture(base: str) -> Architecture | None:
    """The architecture of `model.base`, or None for a hub model that is neither known here nor in the hub's cache.

    Raises:
        ModelError: a local folder is missing or has no usable `config.json`.
    """
    folder = local_folder(base)
    if folder is not None:
        return read_architecture(folder)
    owner, _, name = base.rpartition("/")
    known = KNOWN.get(name.removesuffix("-Instruct")) if owner == "Qwen" else None
    cached = None if known else cached_snapshot(base)
    return read_architecture(cached) if cached and (cached / "config.json").is_file() else known


def read_architecture(folder: Path) -> Architecture:
    """Read a model folder's `config.json`, in the layout of any transformers version.

    Raises:
        ModelError: no such folder, no `config.json`, or one that is not Qwen2.5-VL's.
    """
    if not folder.is_dir():
        raise ModelError(f"model.base: {folder} is not a folder", "give a hub name (owner/name) or a model folder")
    if (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file():
        raise ModelError(
            f"model.base: {folder} is an adapter, not a base model", "lora.start_from trains an adapter further"
        )
    path = folder / "config.json"
    config = read_settings(path)
    if config.get("model_type") != "qwen2_5_vl":
        raise ModelError(f"{path}: model_type is {shown(config.get('model_type'))}", "vlmft trains qwen2_5_vl models")
    try:
        text, vision = {**config, **config.get("text_config", {})}, config["vision_config"]
        return Architecture(
            hidden=int(text["hidden_size"]),
            layers=int(text["num_hidden_layers"]),
            heads=int(text["num_attention_heads"]),
            kv_heads=int(text["num_key_value_heads"]),
            intermediate=int(text["intermediate_size"]),
            vocab=int(text["vocab_size"]),
            tied=bool(config.get("tie_word_embeddings") or text.get("tie_word_embeddings")),
            vision_depth=int(vision.get("depth", 32)),
            vision_hidden=int(vision["hidden_size"]),
            vision_intermediate=int(vision.get("intermediate_size", 3420)),
            vision_full_blocks=len(vision.get("fullatt_block_indexes", [7, 15, 23, 31])),
            vision_window=(int(vision.get("window_size", 112)) // int(vision.get("patch_size", 14))) ** 2,
            patch_inputs=int(vision.get("in_channels", vision.get("in_chans", 3)))
            * int(vision.get("temporal_patch_size", 2))
            * int(vision.get("patch_size", 14)) ** 2,
            merge=int(vision.get("spatial_merge_size", 2)) ** 2,
        )
    except KeyError as error:
        raise ModelError(f"{path}: {error.args[0]} is missing", "copy the model's config.json again") from None
    except (TypeError, ValueError, AttributeError):
        raise ModelError(f"{path}: a size is not a number", "copy the model's config.json again") from None


def local_folder(base: str) -> Path | None:
    """The folder that `model.base` means, or None for a hub name. `a/b` is a hub name unless that folder exists."""
    folder = Path(resolve_base(base))
    return None if _HUB_NAME.fullmatch(base) and base[0] not in "./~" and not folder.is_dir() else folder


def hub_folder(kind: Literal["models", "datasets"], name: str) -> Path:
    """Where the hub's cache on this machine has a repository, if it does; found as the library finds it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    hub = expanded(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    return hub / f"{kind}--{name.replace('/', '--')}"


def cached_snapshot(name: str) -> Path | None:
    """Where the hub's cache on this machine holds a model; None if it does not."""
    model = hub_folder("models", name)
    try:
        folder = model / "snapshots" / (model / "refs" / "main").read_text("utf-8").strip()
        return folder if folder.is_dir() else None
    except (OSError, ValueError):
        return None


def read_settings(path: Path) -> dict[str, Any]:
    """A JSON object that a file of a model's folder holds.

    Raises:
        ModelError: it cannot be read, or holds no object.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: not a regular file", "a model folder needs this file")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", "a model folder needs this file") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: not valid JSON", "copy the file again") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: not a JSON object", "copy the file again")
    return value
