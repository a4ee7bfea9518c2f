"""What a run leaves behind: the adapter, loadable by plain PEFT, with a model card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from vlmft_trainer import ranks
from vlmft_trainer.checkpoint_files import Checkpoint, sync_folder, write_durably
from vlmft_trainer.checkpoints import Checkpoints, load_adapter, save_adapter
from vlmft_trainer.data.tasks import Scores
from vlmft_trainer.metrics import HEADLINE
from vlmft_trainer.preset import Preset, dump_preset

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
    write_durably(output_dir / FOLDER / CARD, card)


def model_card(
    preset: Preset,
    base: str,
    chosen: Checkpoint | None,
    step: int,
    before: dict[str, Scores],
    after: dict[str, Scores],
) -> str:
    """The card as Markdown.

    Args:
        base: what `from_pretrained` loads the base model from.
        chosen: the checkpoint whose adapter this is.
        step: where training ended.
        before: the base's scores by task; empty if not measured.
        after: the adapter's.
    """
    sources = "\n".join(
        f"- {source.task}: `{source.path}`, trained on `{source.train_split}`, evaluated on "
        + (f"`{source.eval_split}`" if source.eval_split else "its eval split, or a share held out")
        for source in preset.data.sources
    )
    return f"""---
base_model: {base}
library_name: peft
tags: [lora, vlmft]
---

# LoRA adapter for {preset.model.base}

Fine-tuned with vlmft. Load it with plain `peft` and `transformers`:

```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText

base = AutoModelForImageTextToText.from_pretrained("{base}")
model = PeftModel.from_pretrained(base, "path/to/this/folder")
```

## Training

Training ended at step {step}; this is the adapter of step {chosen.step if chosen else step}.
Its eval loss: {_figure(chosen.eval_loss if chosen else None)}; token accuracy:
{_figure(chosen.token_accuracy if chosen else None)}.

{sources}

## Answers to eval questions

{_table(before, after)}

## Preset

```yaml
{dump_preset(preset).rstrip()}
```
"""


def _table(before: dict[str, Scores], after: dict[str, Scores]) -> str:
    """Base against adapter, one row a figure."""
    if not before and not after:
        return "Not measured."
    rows = ["| | base | adapter | questions |", "|---|---|---|---|"]
    for task in sorted(before.keys() | after.keys()):
        old, new = before.get(task, {}), after.get(task, {})
        names = sorted((old.keys() | new.keys()) - {"n"}, key=lambda name: (name != HEADLINE[task], name))
        rows += [
            f"| {task} {name} | {_figure(old.get(name))} | {_figure(new.get(name))} | {(old or new)['n']} |"
            for name in names
        ]
    return "\n".join(rows)


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
