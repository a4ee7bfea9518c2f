"""`vlmft plan`: what a preset will really do, before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vlmft_console.commands.completion import preset_names

if TYPE_CHECKING:
    from vlmft_core.plan import Plan
    from vlmft_core.preset import Preset


def plan(
    preset: Annotated[str, typer.Argument(help="A preset's name, or a YAML file.", autocompletion=preset_names)],
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="Plan for this many GPUs and keep the effective batch.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Training samples there are, if not those of the preset.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one value; may be given again."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Show what PRESET will really do, before anything starts.

    Steps, sizes, memory and time, and where a claim of the preset does not hold.

    Exit status: 0, or 2 for a mistake in the preset, the options or the model.
    """
    import json

    from vlmft_console.commands.tables import add_row, new_table, print_table
    from vlmft_console.errors import shown_once
    from vlmft_console.paths import preset_folders
    from vlmft_console.runs.speed import measured_speed
    from vlmft_console.sanitize import sanitize
    from vlmft_core.plan import make_plan, with_gpus
    from vlmft_core.preset import load_preset

    with shown_once():
        loaded = load_preset(preset, preset_folders(), overrides or [])
        speed, measured_in = measured_speed(with_gpus(loaded.preset, gpus)[0] if gpus else loaded.preset)
        result = make_plan(loaded.preset, gpus=gpus, samples=samples, samples_per_s=speed, measured_in=measured_in)
    if json_output:
        typer.echo(json.dumps({"preset": loaded.name, **result.to_dict()}, indent=2))
        return
    summary = loaded.preset.about.summary
    typer.echo(sanitize(f"{loaded.name}: {summary}" if summary else loaded.name))
    table = new_table()
    for label, text in plan_rows(result, loaded.preset):
        add_row(table, f"  {label}", text)
    print_table(table)
    for kind, texts in (("note", result.notes), ("warning", result.warnings)):
        for text in texts:
            typer.echo(sanitize(f"{kind}: {text}"))


def plan_rows(plan: Plan, preset: Preset) -> list[tuple[str, str]]:
    """The plan as (label, text), unknown figures as `unknown`."""
    from vlmft_core.filesize import filesize

    def count(value: int | None) -> str:
        return "unknown" if value is None else f"{value:,}"

    def size(value: int | None) -> str:
        return "unknown" if value is None else filesize(value)

    ranks = "processes" if preset.hardware.device == "cpu" else "GPUs"
    batch = (
        f"{plan.effective_batch} = {plan.micro_batch} at once x {plan.accumulation} accumulated x {plan.gpus} {ranks}"
    )
    steps = evals = "unknown"
    if plan.total_steps is not None:
        steps = (
            f"{count(plan.steps_per_epoch)} an epoch, {plan.total_steps:,} in {plan.epochs:g} "
            f"{'epoch' if plan.epochs == 1 else 'epochs'}, {count(plan.warmup_steps)} of them warm-up"
        )
        every = f"every {preset.evaluation.eval_steps} steps and at the end"
        evals = f"{count(plan.evals)}, {every} ({plan.evals_per_epoch:.1f} an epoch)"
    parameters = "unknown"
    if plan.trainable_params is not None and plan.total_params:
        share = 100 * plan.trainable_params / plan.total_params
        parameters = f"{plan.trainable_params:,} trainable, {plan.total_params:,} in the base ({share:.2f} %)"
    memory = "unknown"
    if plan.gpu_memory_bytes is not None:
        memory = f"about {plan.gpu_memory_bytes / 2**30:.1f} GiB in each process (estimated)"
    hours = plan.hours_source
    if plan.hours:
        scale, unit = (60, "min") if max(plan.hours) < 1 else (1, "h")
        fast, slow = (f"{scale * value:.1f}" for value in plan.hours)
        hours = (fast if fast == slow else f"{fast} to {slow}") + f" {unit}: {plan.hours_source}"
    return [
        ("samples", f"{count(plan.samples)} for training, {count(plan.eval_samples)} in each eval"),
        ("effective batch", batch),
        ("steps", steps),
        ("evals", evals),
        ("parameters", parameters),
        ("adapter", size(plan.adapter_bytes)),
        ("checkpoint", size(plan.checkpoint_bytes)),
        ("disk", f"{size(plan.disk_bytes)} (checkpoints kept: {count(plan.checkpoints_kept)}; adapter and logs)"),
        ("memory", memory),
        ("time", hours),
    ]
