"""What a run leaves behind: the adapter, loadable by plain PEFT, with a model card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from vlmft_trainer import ranks
from vlmft_trainer.checkpoint_files import Checkpoint
from vlmft_trainer.checkpoints import Checkpoints, load_adapter, save_adapter
from vlmft_trainer.durable import sync_folder, write_whole

FOLDER = "adapter"
CARD = "README.md"


def take_best(model: Any, checkpoints: Checkpoints, load_best: bool) -> Checkpoint | None:
    """Put the best checkpoint's adapter into `model`; the newest's if there was no eval, or if the best is not wanted.

    Every rank calls it.

    Returns:
        Whose it is; None if there is no usable checkpoint: the model then keeps what it has.
    """
    chosen = None
    if ranks.rank() == 0:
        chosen = (checkpoints.best() if load_best else None) or checkpoints.newest()
    chosen = ranks.gather(chosen)[0]
    if chosen:
        load_adapter(model, checkpoints.path(chosen.step))
    return chosen


def write_adapter(model: Any, output_dir: Path, card: str) -> None:
    """Write the adapter now in `model` to `output_dir/adapter`, whole or not at all. Every rank calls it."""
    temporary = output_dir / f".{FOLDER}.tmp"
    if ranks.rank() == 0:
        shutil.rmtree(temporary, ignore_errors=True)
    save_adapter(model, temporary)
    if ranks.rank() == 0:
        (temporary / CARD).write_text(card, "utf-8")
        shutil.rmtree(output_dir / FOLDER, ignore_errors=True)  # of the run before it was resumed
        temporary.replace(output_dir / FOLDER)
        sync_folder(output_dir)
    ranks.barrier()


def rewrite_card(output_dir: Path, card: str) -> None:
    """Replace the adapter's model card, once more is known."""
    write_whole(output_dir / FOLDER / CARD, card, mode=0o644)
