"""Plan as text: what a preset comes to, in full for a page and short for a panel; unknown figures are `unknown`."""

from __future__ import annotations

from vlmft_console.figures import hours, whole
from vlmft_core.figures import GIB, figure, filesize, gib, short
from vlmft_core.plan import Plan
from vlmft_core.preset import Preset

_FEW_MINUTES = 2
"""Below these tenths of a minute are told, too."""


def plan_rows(plan: Plan, preset: Preset) -> list[tuple[str, str]]:
    """The plan as (label, text), in full."""
    batch = (
        f"{plan.effective_batch} = {plan.micro_batch} at once x {plan.accumulation} accumulated x "
        f"{plan.gpus} {_ranks(preset, plan.gpus)}"
    )
    steps = evals = parameters = "unknown"
    if plan.total_steps is not None:
        steps = (
            f"{_count(plan.steps_per_epoch)} an epoch, {plan.total_steps:,} in {short(plan.epochs)} "
            f"{'epoch' if plan.epochs == 1 else 'epochs'}, {_count(plan.warmup_steps)} of them warm-up"
        )
        every = f"every {preset.evaluation.eval_steps} steps and at the end"
        rate = "" if plan.evals_per_epoch is None else f" ({short(plan.evals_per_epoch)} an epoch)"
        evals = f"{_count(plan.evals)}, {every}{rate}"
    if plan.trainable_params is not None and plan.total_params:
        share = 100 * plan.trainable_params / plan.total_params
        parameters = f"{plan.trainable_params:,} trainable, {plan.total_params:,} in the base ({figure(share)} %)"
    kept = f"(checkpoints kept: {_count(plan.checkpoints_kept)}; adapter and logs)"
    return [
        ("samples", f"{_count(plan.samples)} for training, {_count(plan.eval_samples)} in each eval"),
        ("effective batch", batch),
        ("steps", steps),
        ("evals", evals),
        ("parameters", parameters),
        ("adapter", _size(plan.adapter_bytes)),
        ("checkpoint", _size(plan.checkpoint_bytes)),
        ("disk", f"{_size(plan.disk_bytes)} {kept}"),
        ("memory", memory_text(plan, preset)),
        *([("of which", _parts(plan.memory))] if plan.memory else []),
        ("time", ": ".join(filter(None, _time(plan)))),
    ]


def plan_line(plan: Plan, preset: Preset) -> str:
    """What a person wants to know before starting, on a line: `492 steps, 3.8 to 5.0 h, about 21.0 GiB a process`."""
    found = dict(short_plan_rows(plan, preset))
    time = found["time"].partition(":")[0]
    parts = [f"{_count(plan.total_steps)} steps", "time unknown" if time == "unknown" else time]
    return ", ".join([*parts, found["memory"], f"{_size(plan.disk_bytes)} of disk"])


def short_plan_rows(plan: Plan, preset: Preset) -> list[tuple[str, str]]:
    """The plan as (label, text) for about 30 columns."""
    batch = f"{plan.effective_batch} = {plan.micro_batch} x {plan.accumulation} accumulated x "
    rate = "" if plan.evals_per_epoch is None else f", {short(plan.evals_per_epoch)} an epoch"
    kept = "checkpoint" if plan.checkpoints_kept == 1 else "checkpoints"
    time, counted_by = (text.partition(";")[0] for text in _time(plan))
    return [
        ("samples", f"{_count(plan.samples)} to train, {_count(plan.eval_samples)} an eval"),
        ("batch", f"{batch}{plan.gpus} {_ranks(preset, plan.gpus)}"),
        ("steps", f"{_count(plan.total_steps)}, {_count(plan.steps_per_epoch)} an epoch"),
        ("warm-up", f"{_count(plan.warmup_steps)} {'step' if plan.warmup_steps == 1 else 'steps'}"),
        ("evals", f"{_count(plan.evals)}{rate}"),
        *([] if plan.trainable_params is None else [("trains", f"{plan.trainable_params:,} parameters")]),
        ("disk", f"{_size(plan.disk_bytes)}, {_count(plan.checkpoints_kept)} {kept} kept"),
        ("memory", memory_text(plan, preset)),
        ("time", time),
        *([("time by", counted_by)] if counted_by else []),
    ]


def _ranks(preset: Preset, count: int) -> str:
    one, several = ("process", "processes") if preset.hardware.device == "cpu" else ("GPU", "GPUs")
    return one if count == 1 else several


def memory_text(plan: Plan, preset: Preset) -> str:
    """Of one GPU, what it has, and what of the activations is kept for that."""
    if plan.gpu_memory_bytes is None:
        return "unknown"
    text = f"about {gib(plan.gpu_memory_bytes)} GiB"
    if plan.gpu_bytes is None:
        return f"{text} in each process"
    chosen = ", chosen by the memory" if preset.training.gradient_checkpointing == "auto" else ""
    kept = {None: "", 0: "kept", 1: "recomputed"}.get(plan.recomputed_every)
    if kept is None:
        kept = f"recomputed in one of {plan.recomputed_every} layers"
    verdict = "" if plan.fits else ": TOO LITTLE"
    return f"{text} of {gib(plan.gpu_bytes)} on {plan.gpu}{verdict}; activations {kept}{chosen}"


def _parts(memory: dict[str, int]) -> str:
    """Memory by what takes it, in GiB, the largest first."""
    ordered = sorted(memory.items(), key=lambda entry: -entry[1])
    return ", ".join(f"{name} {gib(size)}" for name, size in ordered if size >= GIB // 20) + " GiB"


def _time(plan: Plan) -> tuple[str, str]:
    """How long it takes, and how that is known; where it is not, why, alone."""
    if not plan.hours:
        return plan.hours_source, ""
    scale, unit = (60, "min") if max(plan.hours) < 1 else (1, "h")
    written = hours if unit == "h" or scale * min(plan.hours) < _FEW_MINUTES else whole
    fast, slow = (written(scale * value) for value in plan.hours)
    return (fast if fast == slow else f"{fast} to {slow}") + f" {unit}", plan.hours_source


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _size(value: int | None) -> str:
    return "unknown" if value is None else filesize(value)
