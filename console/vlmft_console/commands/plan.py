"""`vlmft plan`: what a preset will really do, before anything starts."""

from __future__ import annotations

from typing import Annotated

import typer

from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Overrides, PresetName
from vlmft_console.paths import preset_folders
from vlmft_console.presets.plan_text import plan_rows
from vlmft_console.runs.machine_gpus import smallest_gpu
from vlmft_console.runs.speed import measured_speed
from vlmft_console.runs.training_command import with_absolute_paths
from vlmft_core.plan import make_plan, with_gpus
from vlmft_core.plan.gpus import asked_gpu
from vlmft_core.preset import load_preset


def plan(
    preset: PresetName,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="Plan for this many GPUs and keep the effective batch.")
    ] = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", help="Plan for this kind of GPU, as H100. [default: this machine's]")
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Training samples there are, if not those of the preset.")
    ] = None,
    overrides: Overrides = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Show what PRESET will really do, before anything starts.

    Steps, sizes, memory and time, and where a claim of the preset does not hold.

    Exit status: 0, or 2 for a mistake in the preset, the options or the model.
    """
    loaded = load_preset(preset, preset_folders(), overrides or [])
    here = smallest_gpu() if loaded.preset.hardware.device == "cuda" else None
    device = asked_gpu(gpu) if gpu else here
    speed, measured_in = None, ""
    if gpu is None or device == here:
        speed, measured_in = measured_speed(with_gpus(loaded.preset, gpus)[0] if gpus else loaded.preset, here)
    result = make_plan(
        with_absolute_paths(loaded.preset),
        gpus=gpus,
        samples=samples,
        gpu=device,
        samples_per_s=speed,
        measured_in=measured_in,
        inherited=loaded.inherited,
    )
    if json_output:
        print_json({"preset": loaded.name, **result.to_dict()}, indent=True)
        return
    summary = loaded.preset.about.summary
    say(f"{loaded.name}: {summary}" if summary else loaded.name)
    table = new_table()
    for label, text in plan_rows(result, loaded.preset):
        add_row(table, f"  {label}", text)
    print_table(table)
    for kind, texts in (("note", result.notes), ("warning", result.warnings)):
        for text in texts:
            say(f"{kind}: {text}")
