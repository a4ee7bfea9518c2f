"""Merged model: the base with an adapter's changes in its weights: a folder that plain `transformers` loads.

The folder is there whole or not at all. Weights are bf16 safetensors; tokenizer, image
processor and chat template are the base's own files. Needs the base's size twice: in memory and on the disk.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from vlmft_core.cards.card import merged_card
from vlmft_core.durable import delete, sync_files, sync_folder
from vlmft_core.errors import VlmftError
from vlmft_core.figures import filesize
from vlmft_core.jobs import MergeJob
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.base_folder import resolve_base
from vlmft_core.run_folder.layout import MODEL_CARD
from vlmft_trainer.model.adapter import lay_over, trained_shapes
from vlmft_trainer.model.load import Kernels, load_base
from vlmft_trainer.programs import Say

SHARD = "4GB"
BYTES_PER_PARAMETER = 2
SPARE = 1.05
"""Room on the disk that has to be free, for each byte of weights."""
OF_THE_BASE = ("*.json", "*.jinja", "merges.txt")
"""Files of the base that go into the folder as they are: how text and images become tokens."""
NOT_OF_THE_BASE = ("config.json", "model.safetensors.index.json")


def merge(job: MergeJob, say: Say) -> None:
    """Merge, and write.

    Raises:
        VlmftError: base or adapter cannot be loaded, the folder is taken, or the disk is too full.
    """
    target = Path(job.folder)
    if target.exists():
        raise VlmftError(f"{target} exists already", "choose another folder with -o")
    base = job.preset.model.base
    check_base(base)
    say("note", f"loading {base}")
    note, kernels = partial(say, "note"), Kernels("bf16", "sdpa", ())
    model = lay_over(load_base(resolve_base(base), kernels, note=note), job.adapter, note)
    check_room(target, sum(weight.numel() for weight in model.parameters()) * BYTES_PER_PARAMETER)
    say("note", "merging")
    trained = trained_shapes(model)
    merged = model.merge_and_unload(safe_merge=True) if job.adapter else model
    say("note", f"writing {target}")
    try:
        write(merged, resolve_base(base), target, merged_card(job.preset, trained))
    except OSError as error:
        raise VlmftError(f"{target}: {error.strerror or error}") from error
    size = sum(file.stat().st_size for file in target.iterdir())
    say("merged", {"folder": str(target), "bytes": size})


def check_room(target: Path, weights: int) -> None:
    """Refuse to begin what would fill the disk.

    Args:
        weights: bytes that will be written.

    Raises:
        VlmftError: the disk has less left.
    """
    there = next(folder for folder in target.absolute().parents if folder.is_dir())
    free, needed = shutil.disk_usage(there).free, int(SPARE * weights)
    if free < needed:
        raise VlmftError(
            f"{there}: {filesize(free)} are free, the merged model takes {filesize(needed)}",
            "choose another disk with -o",
        )


def write(model: Any, base: str, target: Path, card: str) -> None:
    """Write the model folder beside its place, then put it there.

    Raises:
        OSError: it cannot be written; nothing is left then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    delete(temporary)
    try:
        temporary.mkdir()
        source = _folder(base)
        for file in [file for pattern in OF_THE_BASE for file in sorted(source.glob(pattern))]:
            if file.name not in NOT_OF_THE_BASE:
                shutil.copyfile(file, temporary / file.name)
        model.save_pretrained(temporary, max_shard_size=SHARD)
        (temporary / MODEL_CARD).write_text(card, "utf-8")
        sync_files(temporary)
        temporary.replace(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _folder(base: str) -> Path:
    """Where the base's files are: its folder, or its place in the hub's cache."""
    if Path(base).is_dir():
        return Path(base)
    return Path(snapshot_download(base, allow_patterns=list(OF_THE_BASE)))
