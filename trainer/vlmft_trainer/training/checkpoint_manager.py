"""Checkpoint manager: completed by all ranks together, the best ones kept, and the best adapter written at the end."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from typing import Any

from vlmft_core.durable import delete, sync_files, sync_folder, write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.figures import filesize
from vlmft_core.run_folder.checkpoints import (
    Checkpoint,
    best_first,
    complete_ones,
    intact,
    kept_steps,
    lacking,
    newest_intact,
    remove,
    seal,
)
from vlmft_core.run_folder.events import CHECKPOINT, NOTE
from vlmft_core.run_folder.layout import MODEL_CARD, RunLayout
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.adapter import load_adapter, save_adapter
from vlmft_trainer.training.run_log import RunLog


class CheckpointManager:
    """The checkpoints of one run folder.

    Args:
        run: where they lie.
        limit: how many to keep; None keeps all.
        metric: `eval_loss` or `token_accuracy`.
        log: where `checkpoint` events go.
        plan: what the run follows; kept with each checkpoint.
        expected_bytes: size of the first checkpoint, estimated; the later ones go by the one before.
    """

    def __init__(
        self,
        run: RunLayout,
        limit: int | None,
        metric: str,
        log: RunLog,
        plan: Mapping[str, Any],
        expected_bytes: int = 0,
    ) -> None:
        self.run = run
        self.limit = limit
        self.metric = metric
        self.log = log
        self.plan = plan
        self.expected_bytes = expected_bytes

    def complete(self, step: int, eval_loss: float | None, token_accuracy: float | None) -> None:
        """Seal `checkpoint-<step>` once every rank has written its part, and drop those beyond the limit.

        Every rank calls it; none returns before it is done.

        Raises:
            VlmftError: the part of a rank is not there; all ranks raise it, and the checkpoint is not complete.
        """
        ranks.barrier()
        ranks.together(lambda: self._check_whole(step))
        if ranks.rank() == 0:
            sealed = seal(self.run.checkpoint(step), step, eval_loss, token_accuracy, self.plan)
            found = self.all()
            keep = kept_steps(found, self.limit, self.metric)
            removed = sorted({one.step for one in found} - keep)
            for old in removed:
                remove(self.run.checkpoint(old))
            self.log.write(
                CHECKPOINT,
                step=step,
                path=str(self.run.checkpoint(step).resolve()),
                eval_loss=eval_loss,
                bytes=sealed.bytes,
                kept=sorted(keep),
                removed=removed,
            )
        ranks.barrier()

    def _check_whole(self, step: int) -> None:
        folder = self.run.checkpoint(step)
        if ranks.rank() == 0 and (missing := lacking(folder, ranks.world_size())):
            named = ", ".join(map(str, missing))
            raise VlmftError(f"{folder.name} is not complete: parts of these ranks are not there: {named}")

    def all(self) -> list[Checkpoint]:
        """The complete ones, oldest first."""
        return complete_ones(self.run)

    def best(self) -> Checkpoint | None:
        """The best one with a finite figure whose files are as they were written; the newest of equals."""
        usable = (one for one in best_first(self.all(), self.metric) if one.score(self.metric) > -math.inf)
        return next((one for one in usable if intact(self.run.checkpoint(one.step), one)), None)

    def newest(self) -> Checkpoint | None:
        """The newest one whose files are as they were written."""
        return newest_intact(self.run)

    def has_room(self) -> bool:
        """Whether the disk has twice the newest checkpoint's size left; says so in the log if not.

        Every rank calls it, and gets the same answer.
        """
        full = False
        if ranks.rank() == 0:
            newest = max((one.bytes for one in self.all()), default=self.expected_bytes)
            free = shutil.disk_usage(self.run.path).free
            full = free < 2 * newest
            if full:
                self.log.write(
                    NOTE,
                    message=f"no checkpoint is saved: {filesize(free)} are free,"
                    f" twice a checkpoint is {filesize(2 * newest)}",
                )
        return not ranks.any_rank(full)


def take_best(model: Any, checkpoints: CheckpointManager, load_best: bool) -> Checkpoint | None:
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
        load_adapter(model, checkpoints.run.checkpoint(chosen.step), checkpoints.log.note)
    return chosen


def write_adapter(model: Any, run: RunLayout, card: str) -> None:
    """Write the adapter now in `model` as the run's, whole or not at all. Every rank calls it."""
    draft = run.adapter_draft
    if ranks.rank() == 0:
        delete(draft)
    save_adapter(model, draft)
    if ranks.rank() == 0:
        (draft / MODEL_CARD).write_text(card, "utf-8")
        sync_files(draft)
        delete(run.adapter)  # of the run before it was resumed
        draft.replace(run.adapter)
        sync_folder(run.path)
    ranks.barrier()


def rewrite_card(run: RunLayout, card: str) -> None:
    """Replace the adapter's model card, once more is known."""
    write_whole(run.adapter / MODEL_CARD, card, private=False)
