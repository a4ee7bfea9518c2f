"""Cautions of a plan: what does not add up, what the data cannot show, and where the published recipe is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from vlmft_core.figures import counted, filesize, short
from vlmft_core.home import expanded
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN
from vlmft_core.plan.base_folder import find_architecture
from vlmft_core.plan.planned import Plan
from vlmft_core.plan.row_count import first_rows
from vlmft_core.plan.sample_count import SPLIT_SIZES, available, split_file
from vlmft_core.preset.data_schema import Source
from vlmft_core.preset.schema import Lora, Preset
from vlmft_core.scoring.chance import FEW_QUESTIONS, half_width
from vlmft_core.scoring.metrics import most_of_textvqa

RECIPE_EVALS = {250: 8, 500: 4}
"""Evals an epoch that the published recipe promises for a number of eval steps."""
RECIPE_CHECKPOINT_BYTES = 48_000_000
"""Bytes of a checkpoint as the published recipe counts it: the adapter alone."""
PUBLISHED: Final[Mapping[str, float]] = {"chartqa": 87.3, "textvqa": 84.9}
"""Accuracy in percent that is published for Qwen2.5-VL-7B-Instruct without any fine-tuning."""
HIGHEST_RATE: Final = 2e-4
"""Highest learning rate of the published recipe."""
LORA_RATES: Final = (1e-7, 0.05)
"""Learning rates between which all lie that LoRA is trained with, on models of any size."""
FEW_STEPS: Final = 100
"""Below this many steps in all a training has hardly begun."""
ANSWERS: Final = 4
"""People who have to agree before TextVQA's accuracy can be 100 %."""


def cautions(preset: Preset, plan: Plan, there: int | None, inherited: Collection[str]) -> list[str]:
    """All of them, one sentence each.

    Args:
        there: training samples of the sources, before `data.max_train`.
        inherited: keys of the preset that another preset said.
    """
    return [
        *_steps(preset, plan, there, inherited),
        *_rate(preset),
        *_sizes(preset, plan),
        *_claims(preset),
        *_time_claim(preset, plan),
        *_idle(preset),
        *_twice(preset),
        *data_cautions(preset),
    ]


def _idle(preset: Preset) -> list[str]:
    """Options that have no effect beside others."""
    lora, training = preset.lora, preset.training
    idle = {
        "lora.target_modules is not used: lora.target_pattern takes its place": lora.target_pattern is not None
        and lora.target_modules != Lora().target_modules,
        "training.recompute_every is not used: gradient_checkpointing is not true": training.recompute_every > 1
        and training.gradient_checkpointing is not True,
        "training.share_images is not used: it takes training.packing": training.share_images != "off"
        and not training.packing,
    }
    return [text for text, applies in idle.items() if applies]


def _twice(preset: Preset) -> list[str]:
    """Sources that are named more than once."""
    named = [source.model_copy(update={"weight": 1.0, "max_train": None}) for source in preset.data.sources]
    return [
        f"data.sources names {source.path} {times} times: its samples come as often (weight says that, too)"
        for place, source in enumerate(named)
        if source not in named[:place] and (times := named.count(source)) > 1
    ]


def published_for(preset: Preset) -> dict[str, float]:
    """Accuracy in percent that is published for the preset's base, by those tasks whose data it was measured on."""
    if find_architecture(preset.model.base) != KNOWN["Qwen2.5-VL-7B"]:
        return {}
    tasks = {source.task for source in preset.data.sources if source.path in SPLIT_SIZES}
    return {task: score for task, score in PUBLISHED.items() if task in tasks}


def few_questions(questions: int) -> str:
    """What a score of few eval questions says; empty where they are many."""
    if not 0 < questions < FEW_QUESTIONS:
        return ""
    off = 100 * half_width(0.8, questions)
    many = counted(questions, "eval question")
    return f"{many}: a score of 80 % may be {off:.0f} points off by chance, so only large gains can be told"


def ceiling(questions: int, few: Sequence[Sequence[str]]) -> str:
    """What to know about TextVQA's accuracy where questions have fewer than `ANSWERS`; empty where none has.

    Args:
        questions: how many there are.
        few: the answers to each of those that have too few.
    """
    if not few:
        return ""
    most = 1 - sum(1 - most_of_textvqa(answers) for answers in few) / questions
    return (
        f"textvqa: its score cannot be more than {100 * most:.1f} % here, as it counts how many people agree, and"
        f" {100 * len(few) / questions:.0f} % of the questions have fewer than {ANSWERS} answers: where one answer is"
        " right, take the task qa (columns question, answer), which scores exact matches"
    )


def data_cautions(preset: Preset) -> list[str]:
    """What the preset's own data cannot show, as far as it is known without a training library."""
    if not preset.evaluation.answers:
        return []
    found = [_ceiling_of(source) for source in preset.data.sources if source.task == "textvqa"]
    questions = available(preset.data.sources, "eval")
    if questions is not None:
        found.append(few_questions(min(questions, preset.data.max_eval or questions)))
    return [text for text in found if text]


def _ceiling_of(source: Source) -> str:
    """The ceiling of a source's score, from its first rows."""
    file = split_file(expanded(source.path), source.eval_split or source.train_split)
    column = source.columns.get("answers", "answers")
    answers = [_texts(row[column]) for row in (first_rows(file) if file else []) if column in row]
    return ceiling(len(answers), [given for given in answers if len(given) < ANSWERS])


def _texts(value: Any) -> list[str]:
    """The answers in a column, which may be written as JSON."""
    if isinstance(value, str) and value.startswith("["):
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(value)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return [str(answer) for answer in listed]


def _steps(preset: Preset, plan: Plan, there: int | None, inherited: Collection[str]) -> list[str]:
    texts = []
    most, steps, total = preset.data.max_train, preset.evaluation.eval_steps, plan.total_steps
    if there is not None and most is not None and most > there and "data.max_train" not in inherited:
        texts.append(f"data.max_train {most:,} is more than the {there:,} samples there are: all are used")
    if total is None or plan.evals_per_epoch is None:
        return texts
    if total < FEW_STEPS:
        texts.append(_few_steps(preset, total))
    if steps > total:
        texts.append(
            f"evaluation.eval_steps {steps} is more than the {total} steps of the training: "
            f"the only eval comes at the end (try {max(1, total // 4)})"
        )
    elif (promised := RECIPE_EVALS.get(steps)) and plan.evals_per_epoch < 0.9 * promised and published_for(preset):
        texts.append(
            f"evaluation.eval_steps {steps} gives {plan.evals_per_epoch:.1f} evals an epoch, "
            f"not the {promised} that the published recipe says"
        )
    if preset.training.logging_steps > total:
        texts.append(
            f"training.logging_steps {preset.training.logging_steps} is more than the {total} steps of the training"
        )
    if plan.warmup_steps is not None and plan.warmup_steps >= total:
        texts.append(f"the warm-up takes all {total} steps: the learning rate never comes down")
    return texts


def _few_steps(preset: Preset, total: int) -> str:
    """A short training, and the effective batch that makes it longer, if there is one."""
    batch, least = preset.training.effective_batch, preset.training.micro_batch * preset.hardware.gpus
    smaller = max(least, batch * total // FEW_STEPS // least * least)
    text = f"{counted(total, 'optimizer step')} in all are few to learn from"
    if smaller >= batch:
        return text
    return f"{text}: training.effective_batch {smaller} instead of {batch} makes about {total * batch // smaller:,}"


def _rate(preset: Preset) -> list[str]:
    """A rate, or a base, that is right for the demo alone."""
    rate, texts = preset.training.learning_rate, []
    demo = preset.model.base in ("demo", str(DEMO_BASE))
    if not LORA_RATES[0] <= rate <= LORA_RATES[1]:
        low, high = map(short, LORA_RATES)
        texts.append(f"training.learning_rate {short(rate)} is far from what trains LoRA, {low} to {high}")
    elif not demo and rate > 5 * HIGHEST_RATE:
        texts.append(
            f"training.learning_rate {short(rate)} is {rate / HIGHEST_RATE:.0f} times the highest of the published"
            f" recipe ({short(HIGHEST_RATE)}): it suits the demo's tiny model"
        )
    if demo and not all(source.path == "demo" for source in preset.data.sources):
        texts.append(
            "model.base demo is a tiny model to try everything with: what it learns from other data is of no use"
        )
    return texts


def _sizes(preset: Preset, plan: Plan) -> list[str]:
    texts = []
    size, kept = plan.checkpoint_bytes, plan.checkpoints_kept
    if size is not None and size > 1.1 * RECIPE_CHECKPOINT_BYTES:
        text = f"a checkpoint takes {filesize(size)} with its optimizer state, not the published recipe's 48 MB"
        if kept is not None and plan.disk_bytes is not None:
            text += f"; {kept} of them and the rest come to {filesize(plan.disk_bytes)}"
        texts.append(text)
    if preset.checkpoints.save_total_limit is None and kept is not None and kept > 10:
        texts.append(f"checkpoints.save_total_limit is null: all {kept} checkpoints stay on disk")
    return texts


def _claims(preset: Preset) -> list[str]:
    """Accuracy that the preset promises and the base model is published to exceed."""
    published = published_for(preset)
    return [
        f"about.expected says {low:g}{f'-{high:g}' if high > low else ''} % on {task}, but the base is published at"
        f" {published[task]} %: compare with the base's score that the run prints first"
        for task, (low, high) in preset.about.expected.items()
        if task in published and high < published[task]
    ]


def _time_claim(preset: Preset, plan: Plan) -> list[str]:
    """Hours that the preset promises and the plan exceeds."""
    promised = re.fullmatch(r"(?:\d+-)?(\d+)h", preset.about.time)
    if promised is None or plan.hours is None or max(plan.hours) <= 1.1 * int(promised[1]):
        return []
    fast, slow = (f"{hours:.1f}" for hours in (min(plan.hours), max(plan.hours)))
    takes = fast if fast == slow else f"{fast} to {slow}"
    return [f"about.time says {preset.about.time}, but by the plan it takes {takes} h"]
