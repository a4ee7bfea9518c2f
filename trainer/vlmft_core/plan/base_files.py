"""Base files: whether a base model's folder is whole, told by names, sizes and headers before anything starts."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from vlmft_core.errors import ModelError
from vlmft_core.figures import counted
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.base_folder import cached_snapshot, local_folder, read_architecture, read_settings
from vlmft_core.plan.weight_file import Shapes, check_not_a_stub, check_numbers, first_names, read_shapes

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_NEEDED = ("tokenizer_config.json", "preprocessor_config.json")
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""Files of which one group is needed: without them transformers makes a tokenizer that knows no letter."""
_SETTINGS = frozenset(
    {"added_tokens.json", "chat_template.json", "generation_config.json", "preprocessor_config.json"}
    | {"processor_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"}
)
"""Files of JSON objects that transformers reads. What is broken it passes over, or names without the file."""
_LARGE, _ENDS = 1 << 20, 64
"""Bytes of a file of settings of which only the ends are looked at, and of each."""
_OTHER_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf", "*.h5", "*.msgpack")
_UNFINISHED = ("*.incomplete", "*.part", "*.aria2", "*.crdownload")
"""Files that downloads leave when they are interrupted."""
_RENAMED = (
    (re.compile(r"^visual\."), "model.visual."),
    (re.compile(r"^model\.language_model\.model\."), "model.language_model."),
    (re.compile(r"^model\.(?!language_model\.|visual\.)"), "model.language_model."),
)
"""How names of tensors in files of older transformers became those of the model; transformers renames them so too."""
_SAMPLES, _SAMPLE_BYTES = 64, 4096
"""How much of each weight file stands for its content."""
_UNUSED = re.compile(r"rotary_emb\.inv_freq$")
"""Tensors of old files that the model computes by itself."""


def check_base(base: str) -> None:
    """Refuse a model that cannot be loaded whole. A hub name is not looked up: of its model only what the hub's cache
    on this machine holds is looked at.

    Raises:
        ModelError: the folder is missing, is not a Qwen2.5-VL, or lacks weights, tokenizer or image processor; a file
            is cut short, empty or a stub; tensors are missing, have no place in the model, or another shape.
    """
    folder = local_folder(base)
    if folder is None:
        if cached := cached_snapshot(base):
            _check_snapshot(base, cached)
        return
    read_architecture(folder)  # its words for what is no model at all come first
    weights = _weight_files(folder)
    missing = [path.name for path in (*weights, *(folder / name for name in _NEEDED)) if not path.is_file()]
    if not any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        missing += _TOKENIZERS[0]
    if missing:
        lacks = f"model.base: {folder} lacks {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}"
        raise ModelError(*_why_missing(folder, lacks, weights))
    _check_tensors_of(f"model.base: {folder}", folder, weights, _check_files(folder, weights))


def check_tensors(where: str, shapes: Mapping[str, tuple[int, ...]], architecture: Architecture) -> None:
    """Refuse tensors that do not make up the model.

    Args:
        where: what the message begins with.
        shapes: those that are there, by their names in the files.

    Raises:
        ModelError: some are missing, have no place, or another shape; the message has their count and first names.
    """
    names: dict[str, str] = {}
    for name in shapes:
        if _UNUSED.search(name):
            continue
        if (current := current_name(name)) in names:
            raise ModelError(f"{where}: {names[current]} and {name} are the same tensor", "keep one of them")
        names[current] = name
    found = {current: shapes[name] for current, name in names.items()}
    wanted = architecture.tensors()
    missing = wanted.keys() - found.keys() - ({"lm_head.weight"} if architecture.tied else set())
    again = "copy or download the model again, its config.json too"
    if missing:
        raise ModelError(f"{where} lacks {len(missing)} of {len(wanted)} tensors: {first_names(missing)}", again)
    if unknown := found.keys() - wanted.keys():
        there = counted(len(unknown), "tensor")
        raise ModelError(f"{where} holds {there} that its config.json has no place for: {first_names(unknown)}", again)
    other = [name for name, shape in wanted.items() if _flat(found.get(name, shape)) != shape]
    if other:
        name = min(other)
        raise ModelError(
            f"{where}: {counted(len(other), 'tensor')} of another shape than config.json says: {first_names(other)}"
            f" ({name}: {_shape(found[name])}, not {_shape(wanted[name])})",
            again,
        )


def current_name(name: str) -> str:
    """The name that transformers gives to a tensor or layer now, from a name in a file of any of its versions."""
    for pattern, replacement in _RENAMED:
        name, changed = pattern.subn(replacement, name)
        if changed:
            break
    return name


def _weight_files(folder: Path) -> list[Path]:
    """The files that transformers would read the weights from; they need not be there.

    Raises:
        ModelError: the index cannot be used.
    """
    index = folder / INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    return [folder / name for name in sorted(set(_weight_map(index).values()))]


def _weight_map(index: Path) -> dict[str, str]:
    check_not_a_stub(index)
    names = read_settings(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) and name for name in names.values()):
        raise ModelError(f"{index}: has no weight_map of tensors to files", "copy or download it again")
    return names


def _why_missing(folder: Path, lacks: str, weights: list[Path]) -> tuple[str, str]:
    unfinished = [path for pattern in _UNFINISHED for path in folder.rglob(pattern)]
    if unfinished:
        return f"{lacks}: {counted(len(unfinished), 'unfinished download')} ({unfinished[0].name})", "download it again"
    others = [path.name for pattern in _OTHER_WEIGHTS for path in folder.glob(pattern)]
    if weights == [folder / WEIGHTS] and not weights[0].exists() and others:
        return (
            f"{lacks}; its weights are in {first_names(others)}",
            f"vlmft reads {WEIGHTS}, or shards with their index: transformers' save_pretrained writes them",
        )
    return lacks, "copy the model again; weights must be safetensors"


def _check_files(folder: Path, weights: list[Path]) -> Shapes:
    """The tensors of all weight files.

    Raises:
        ModelError: a file is not whole, or holds other tensors than the index says.
    """
    for path in sorted(path for pattern in ("*.json", "*.txt", "*.jinja") for path in folder.glob(pattern)):
        if path.is_file():
            check_not_a_stub(path)
            if path.name in _SETTINGS:
                _check_settings(path)
    shapes: Shapes = {}
    for path in weights:
        held = read_shapes(path)
        if twice := shapes.keys() & held.keys():
            raise ModelError(f"{path}: {counted(len(twice), 'tensor')} in another shard too: {first_names(twice)}")
        shapes |= held
    if weights and weights[0].name != WEIGHTS:
        shards = {path.name: read_shapes(path) for path in weights}
        places = _weight_map(folder / INDEX).items()
        if absent := [name for name, file in places if file in shards and name not in shards[file]]:
            lacking = counted(len(absent), "tensor")
            raise ModelError(
                f"{folder / INDEX}: {lacking} not in the file that it names: {first_names(absent)}",
                "copy or download the model again",
            )
    return shapes


def _check_settings(path: Path) -> None:
    """Refuse a broken file of settings.

    Raises:
        ModelError: it is no JSON object; of a large one, it does not begin or end like one.
    """
    if path.stat().st_size <= _LARGE:
        read_settings(path)
        return
    with path.open("rb") as file:
        beginning = file.read(_ENDS).strip()
        file.seek(-_ENDS, os.SEEK_END)
        end = file.read().strip()
    if not (beginning.startswith(b"{") and end.endswith(b"}")):
        raise ModelError(f"{path}: is cut short, or no JSON object", "copy or download it again")


def _check_snapshot(base: str, folder: Path) -> None:
    """As `check_base`, of a hub's model as far as it is downloaded: the rest is when it is loaded."""
    weights = _weight_files(folder)
    there = [path for path in weights if path.is_file()]
    shapes = _check_files(folder, there)
    if there == weights and (folder / "config.json").is_file():
        _check_tensors_of(f"model.base: {base} ({folder})", folder, weights, shapes)


def _check_tensors_of(where: str, folder: Path, weights: list[Path], shapes: Shapes) -> None:
    if "quantization_config" not in read_settings(folder / "config.json"):  # it would have tensors for scales
        for path in weights:
            check_numbers(path)
        check_tensors(where, shapes, read_architecture(folder))


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A convolution's kernel as the matrix it is."""
    return shape if len(shape) < 3 else (shape[0], math.prod(shape[1:]))


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def base_digest(base: str) -> str:
    """Sixteen hexadecimal digits that stand for a base's weights, by their sizes and samples of their content; empty
    where the base is not on this machine, or not yet with all of its weights.

    Raises:
        ModelError: a file cannot be read.
    """
    folder = local_folder(base) or cached_snapshot(base)
    weights = _weight_files(folder) if folder else []
    if not weights or not all(path.is_file() for path in weights):
        return ""
    mix = hashlib.blake2b(digest_size=8)
    for path in weights:
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                mix.update(size.to_bytes(8, "big"))
                for part in range(_SAMPLES):
                    file.seek(size * part // _SAMPLES)
                    mix.update(file.read(_SAMPLE_BYTES))
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}", "copy or download it again") from None
    return mix.hexdigest()
