"""Model cards: what an adapter or a merged model is, how it came about, and how it is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from vlmft_core.cards.usage import portable, portable_base, snippet
from vlmft_core.figures import counted, figure
from vlmft_core.plan.adapter_files import expected_name, lora_part
from vlmft_core.plan.lora_layers import VISION
from vlmft_core.plan.weight_file import Shapes
from vlmft_core.preset import Preset, dump_preset
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.events import EVAL, RUN_START, STEP, Record
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.segments import records
from vlmft_core.scoring.metrics import HEADLINE

BARS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 60
"""Characters of a curve."""
ROWS: Final = 12
"""Evals in the table; of more, evenly spaced ones and always the last."""


@dataclass(frozen=True)
class Course:
    """How a training went, from its event log; what a resume repeated counts as repeated last."""

    losses: Mapping[int, float | None] = field(default_factory=dict)
    """Train loss by step; None where it was not finite."""
    evals: Mapping[int, Record] = field(default_factory=dict)
    """`eval` events by step, those with a loss."""
    versions: Mapping[str, str | None] = field(default_factory=dict)
    """Of the libraries, at the last start."""


def read_course(run: RunLayout) -> Course:
    """The course of a run, as far as it has come."""
    losses: dict[int, float | None] = {}
    evals: dict[int, Record] = {}
    versions: dict[str, str | None] = {}
    for record in records(run.segments):
        if record["event"] == RUN_START:
            told = record.get("versions")
            versions = told if isinstance(told, dict) else {}
        elif record["event"] == STEP:
            losses[record["step"]] = record["loss"]
        elif (
            record["event"] == EVAL
            and record.get("eval_loss") is not None
            and (record.get("samples") or record["step"] not in evals)  # the answers of the end are no second eval
        ):
            evals[record["step"]] = record
    return Course(losses, evals, versions)


def adapter_card(
    preset: Preset,
    base: str,
    chosen: Checkpoint | None,
    step: int,
    scores: tuple[Mapping[str, Any], Mapping[str, Any]],
    course: Course,
    trained: Shapes,
) -> str:
    """The card of an adapter, as Markdown.

    Args:
        base: what `from_pretrained` loads the base model from.
        chosen: the checkpoint whose adapter this is.
        step: where training ended.
        scores: of the base and of the adapter, by task; empty where not measured.
        trained: shapes of the weights that learnt, by their names in the model.
    """
    return f"""---
base_model: {portable_base(base)}
library_name: peft
tags: [lora, vlmft]
---

# LoRA adapter for {portable_base(base)}

Fine-tuned with vlmft. Plain `peft` and `transformers` load it:

```python
{snippet(preset)}```

`AutoProcessor` would do, too, where torchvision is installed.

`vlmft predict THIS_FOLDER --image chart.png "question"` asks it, `vlmft merge THIS_FOLDER` writes a model without PEFT.

## Training

Training ended at step {step}; this is the adapter of step {chosen.step if chosen else step}.
Its eval loss: {_figure(chosen.eval_loss if chosen else None)}; token accuracy:
{_figure(chosen.token_accuracy if chosen else None)}.

{_sources(preset)}

{_trained(trained, preset)}

{_curves(course)}

## Answers to eval questions

{_scores(*scores)}

## Versions

{", ".join(f"{name} {version}" for name, version in course.versions.items() if version) or "Not known."}

{_preset(preset)}"""


def merged_card(preset: Preset, trained: Shapes) -> str:
    """The card of a merged model, as Markdown; `trained` as in `adapter_card`."""
    return f"""---
base_model: {portable_base(preset.model.base)}
library_name: transformers
tags: [vlmft]
---

# {portable_base(preset.model.base)}, fine-tuned with vlmft

The adapter's changes are in the weights (bf16). Plain `transformers` loads it:

```python
{snippet(preset, merged=True)}```

Images were limited to {preset.data.max_pixels:,} pixels in training; the files here keep the base's own limit.

{_sources(preset)}

{_trained(trained, preset)}

{_preset(preset)}"""


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """A curve of at most `width` characters: means of neighbours, the lowest value lowest; a space where none is
    finite."""
    count = min(width, len(values))
    parts = [values[index * len(values) // count : (index + 1) * len(values) // count] for index in range(count)]
    means = [fmean(finite) if (finite := _finite(part)) else None for part in parts]
    low, high = min(_finite(means), default=0.0), max(_finite(means), default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if mean is None else BARS[round((mean - low) * scale)] for mean in means)


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _sources(preset: Preset) -> str:
    return "\n".join(
        f"- {source.task}: `{source.path}`, trained on `{source.train_split}`, evaluated on "
        + (f"`{source.eval_split}`" if source.eval_split else "its eval split or a held-out share")
        for source in portable(preset).data.sources
    )


def _trained(shapes: Shapes, preset: Preset) -> str:
    """What learnt, counted from the weights themselves."""
    layers: dict[str, set[str]] = {}
    whole = set()
    for name in shapes:
        part = lora_part(expected_name(name))
        if part is None:
            whole.add(name.partition(".modules_to_save.")[0].rpartition(".")[2])
        else:
            layers.setdefault("vision tower" if VISION in part.layer else "language model", set()).add(part.layer)
    lines = [f"{counted(len(shapes), 'tensor')} learnt, {sum(map(math.prod, shapes.values())):,} parameters:"]
    lines += [
        f"- LoRA on {_layers(layers.get(side, set()))} of the {side}" for side in ("language model", "vision tower")
    ]
    if whole:
        lines.append(f"- trained whole: {', '.join(sorted(whole))}")
    if begun := portable(preset).lora.start_from:
        lines.append(f"- begun from the adapter `{begun}`, not from a fresh one")
    return "\n".join(lines)


def _layers(names: set[str]) -> str:
    kinds = sorted({name.rpartition(".")[2] for name in names})
    return f"{counted(len(names), 'layer')} ({', '.join(kinds)})" if names else "no layer"


def _curves(course: Course) -> str:
    """Train loss as a curve, and a row for each eval with the mean train loss since the one before."""
    losses = _finite(list(course.losses.values()))
    if not losses:
        return "No steps were logged."
    lines = [f"    train loss {figure(losses[0])} {sparkline(list(course.losses.values()))} {figure(losses[-1])}"]
    if course.evals:
        lines += ["", "| step | epoch | train loss | eval loss | token accuracy |", "|---|---|---|---|---|"]
        lines += [_eval_row(course, before, step) for before, step in _shown(sorted(course.evals))]
    return "\n".join(lines)


def _shown(steps: list[int]) -> list[tuple[int, int]]:
    """The evals shown, each with the step of the one before it (0 for the first)."""
    pairs = list(zip([0, *steps], steps, strict=False))
    if len(pairs) <= ROWS:
        return pairs
    return [pairs[(index + 1) * len(pairs) // ROWS - 1] for index in range(ROWS)]


def _eval_row(course: Course, before: int, step: int) -> str:
    record = course.evals[step]
    since = _finite([loss for at, loss in course.losses.items() if before < at <= step])
    epoch = record.get("epoch")
    return (
        f"| {step} | {'' if epoch is None else f'{epoch:.2f}'} | {_figure(fmean(since) if since else None)}"
        f" | {_figure(record['eval_loss'])} | {_figure(record.get('token_accuracy'))} |"
    )


def _scores(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Base against adapter, one row a figure."""
    if not before and not after:
        return "Not measured."
    rows = ["| | base | adapter | questions |", "|---|---|---|---|"]
    for task in sorted(before.keys() | after.keys()):
        old, new = (one if isinstance(one := scores.get(task), Mapping) else {} for scores in (before, after))
        asked = dict.fromkeys(str(side["n"]) for side in (old, new) if "n" in side)
        names = sorted((old.keys() | new.keys()) - {"n"}, key=lambda name: (name != HEADLINE.get(task), name))
        rows += [
            f"| {task} {name} | {_figure(old.get(name))} | {_figure(new.get(name))} | {' and '.join(asked)} |"
            for name in names
        ]
    return "\n".join(rows)


def _figure(value: Any) -> str:
    return figure(value) if isinstance(value, int | float) else "not measured"


def _preset(preset: Preset) -> str:
    return f"""## Preset

```yaml
{dump_preset(portable(preset)).rstrip()}
```
"""
