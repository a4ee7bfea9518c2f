"""`vlmft presets`: look at them, compare and check them, and exchange them with the published recipe's JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say, write_file
from vlmft_console.commands.parameters import Force, Json, PresetName, in_home
from vlmft_console.paths import own_presets, preset_folders
from vlmft_console.presets.planned_time import PlannedTime, planned_time, time_label
from vlmft_console.presets.table import (
    RECIPE_PRESETS,
    comparison,
    expected_text,
    listed_presets,
    refuse_shipped_name,
    value_text,
)
from vlmft_console.runs.machine_gpus import smallest_gpu
from vlmft_console.runs.training_command import with_absolute_paths
from vlmft_core.errors import EXIT_MISTAKE, PresetError, VlmftError
from vlmft_core.plan import make_plan
from vlmft_core.plan.cautions import data_cautions
from vlmft_core.preset import LoadedPreset, changed, load_preset
from vlmft_core.preset.dump import dump_yaml
from vlmft_core.preset.loader import NAME
from vlmft_core.preset.recipe_json import (
    beyond_recipe,
    from_recipe_json,
    load_sft_config,
    recipe_arguments,
    to_recipe_json,
)

app = typer.Typer(
    help="List, show, compare, check, import and export presets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("list")
def list_presets(json_output: Json = False) -> None:
    """List every preset that can be named, and what it promises."""
    entries: list[dict[str, Any]] = []
    times: dict[str, PlannedTime] = {}
    for each in listed_presets(smallest_gpu()):
        entry: dict[str, Any] = {"name": each.name, "path": str(each.path), "own": each.own, "hides": each.hides}
        if each.loaded is None:
            entries.append({**entry, "error": each.error})
            continue
        about, times[each.name] = each.loaded.preset.about, each.time
        promise = {"summary": about.summary, "improvement": about.improvement, "time": about.time}
        planned = {"hours": each.time.hours, "on": each.time.on}
        entries.append({**entry, "extends": each.loaded.extends, **promise, **planned})
    if json_output:
        print_json(entries, indent=True)
        return
    own = any(entry["own"] for entry in entries)
    heading = time_label("time", list(times.values()))
    table = new_table("name", *(["whose"] if own else []), "for", "improvement", heading)
    for entry in entries:
        broken = str(entry.get("error", "")).partition("\n")[0]
        summary = f"cannot be used: {broken}" if broken else entry["summary"] or _parent(entry)
        if entry["hides"]:
            summary = f"{summary} (hides the {entry['name']} that comes with vlmft: {entry['path']})"
        whose = [("yours" if entry["own"] else "vlmft's")] if own else []
        time = times.get(entry["name"], PlannedTime()).text
        add_row(table, entry["name"], *whose, summary, entry.get("improvement", ""), time)
    print_table(table)


@app.command()
def show(name: PresetName, json_output: Json = False) -> None:
    """Show every value of a preset and the reason for it. `*` marks what differs from the preset it extends."""
    loaded = _load(name)
    data = loaded.preset.model_dump(mode="json")
    differing = changed(loaded)
    if json_output:
        origins = {key: str(where) for key, where in loaded.origins.items()}
        entry = {"name": loaded.name, "path": str(loaded.path), "extends": loaded.extends}
        print_json({**entry, "changed": sorted(differing), "preset": data, "origins": origins}, indent=True)
        return
    about, reasons = data.pop("about"), data.pop("reasons")
    say(f"{loaded.name}: {about['summary']}")
    say(f"  {loaded.path}" + (f", extends {loaded.extends}" if loaded.extends else ""))
    if about["improvement"]:
        say(f"  improvement: {about['improvement']} (estimated)")
    time = planned_time(loaded.preset, smallest_gpu())
    if time.hours:
        say(f"  time: {time.text} on {time.on} (by counted operations)")
    if about["time"]:
        say(f"  time by the published recipe: {about['time']} on 8 GPUs")
    for task, expected in about["expected"].items():
        say(f"  {task}: {expected_text(expected)} (estimated)")
    table = new_table("", "value", "why")
    for section, values in data.items():
        add_row(table, section, "", "", style="bold")
        for key, value in values.items():
            mark = "*" if f"{section}.{key}" in differing else " "
            add_row(table, f"{mark} {key}", value_text(value), reasons.get(f"{section}.{key}", ""))
    print_table(table)


@app.command()
def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PRESET", help="Presets or YAML files. [default: those of the published recipe]"),
    ] = None,
    json_output: Json = False,
) -> None:
    """Compare presets side by side."""
    presets = [_load(name) for name in names or RECIPE_PRESETS]
    gpu = smallest_gpu()
    rows = comparison([one.preset for one in presets], [planned_time(one.preset, gpu) for one in presets])
    if json_output:
        columns = [
            {"name": loaded.name, **{row.label: row.values[place] for row in rows}}
            for place, loaded in enumerate(presets)
        ]
        print_json(columns, indent=True)
        return
    endless = "∞" if Console().encoding.lower().startswith("utf") else "all"
    table = new_table("", *(loaded.name for loaded in presets))
    for row in rows:
        add_row(table, row.label, *row.texts(endless))
    print_table(table)


@app.command()
def validate(
    paths: Annotated[list[str], typer.Argument(metavar="PRESET", help="YAML files, or names of presets.")],
    json_output: Json = False,
) -> None:
    """Check presets and say every mistake. And say what their data cannot show.

    Exit status: 0 when all can be used, else 2.
    """
    results: list[dict[str, Any]] = []
    for path in paths:
        errors: list[str] = []
        notes: list[str] = []
        try:
            loaded = load_preset(path, preset_folders())
        except VlmftError as error:
            errors = str(error).splitlines()
        else:
            try:
                make_plan(with_absolute_paths(loaded.preset))
                notes = data_cautions(loaded.preset)
            except VlmftError as error:
                errors = [f"{loaded.path}: {line}" for line in str(error).splitlines()]
        results.append({"path": path, "ok": not errors, "errors": errors, "notes": notes})
        if not json_output:
            for line in errors:
                say(line, err=True)
            if not errors:
                say(f"{path}: ok")
            for line in notes:
                say(f"{path}: note: {line}", err=True)
    if json_output:
        print_json(results, indent=True)
    if not all(result["ok"] for result in results):
        raise typer.Exit(EXIT_MISTAKE)


@app.command("import")
def import_json(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON, such as sft_config_best.json.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="YAML file to write.", callback=in_home)] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Save under this name among your presets: `vlmft plan NAME` finds it.")
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="GPUs that the file's batch size was meant for.")] = 8,
    force: Force = False,
) -> None:
    """Turn the published recipe's JSON into a preset. It goes to standard output, a file, or your own presets."""
    if name is not None and output is not None:
        raise PresetError("--name and --output are both given", "keep one of them")
    if name is not None and not NAME.fullmatch(name):
        raise PresetError(f"--name {name!r}: not a name", "use 1 to 64 letters, digits, '.', '_' and '-'")
    if name is not None:
        refuse_shipped_name(name, own_presets() / f"{name}.yaml")
    if file.suffix != ".json":
        raise PresetError(f"{file}: not a .json file", "YAML presets need no import")
    config = from_recipe_json(file, gpus)
    load_sft_config(file, gpus=gpus)  # checks the values
    about = {"summary": f"Imported from {file.name}"}
    text = dump_yaml({"about": about, **config.sections})
    target = own_presets() / f"{name}.yaml" if name else output
    if target is not None:
        write_file(target, text, force=force)
    for note in config.notes:
        say(f"note: {note}", err=True)
    say(f"written: {target}" if target is not None else text.rstrip())


@app.command()
def export(
    name: PresetName,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON file to write.", callback=in_home)] = None,
    force: Force = False,
) -> None:
    """Write a preset as the published recipe's JSON. Options that it cannot hold are printed on standard error."""
    loaded = _load(name)
    text = to_recipe_json(loaded.preset)
    if output is not None:
        write_file(output, text, force=force)
    say(f"note: not in the JSON: {shlex.join(recipe_arguments(loaded.preset))}", err=True)
    if lost := beyond_recipe(loaded.preset):
        say(f"note: the recipe has no word for {', '.join(lost)}: not exported", err=True)
    say(f"written: {output}" if output is not None else text.rstrip())


def _load(name: str) -> LoadedPreset:
    return load_preset(name, preset_folders())


def _parent(entry: Mapping[str, Any]) -> str:
    """What stands for a preset that says nothing of itself."""
    return f"extends {entry['extends']}" if entry["extends"] else ""
