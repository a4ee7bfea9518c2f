"""`vlmft data`: what a data set holds, and what training sees of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import preset_names
from vlmft_console.commands.data_step import step
from vlmft_console.commands.data_tables import print_report, print_sample
from vlmft_console.commands.data_worst import worst
from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.parameters import Json, Overrides, in_home
from vlmft_console.commands.terminal_picture import drawn_pixels
from vlmft_console.paths import preset_folders
from vlmft_console.programs.ask import INSPECT_DATA
from vlmft_console.programs.trained import DEFAULT_PRESET
from vlmft_console.runs.preflight import check_libraries
from vlmft_core.errors import EXIT_MISTAKE, DataError
from vlmft_core.jobs import InspectJob
from vlmft_core.preset import load_preset

app = typer.Typer(
    help="Check a data set, and look at its samples.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

PathOption = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE", help="A file, a folder or a data set's name on the hub; left out, the preset's sources."
    ),
]
TaskOption = Annotated[
    str | None, typer.Option("--task", help="chartqa, textvqa, llava, messages or qa; told by its columns if left out.")
]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", help="Folder that image paths start from, if not the data file's own.", callback=in_home),
]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--columns", metavar="OURS=ITS", help="A column that has another name: question=frage; may be given again."
    ),
]
BoxesOption = Annotated[
    str | None,
    typer.Option(
        "--boxes", help="What boxes in texts count: absolute, relative_1000, relative_1 or resized; none if left out."
    ),
]
BoxStyleOption = Annotated[
    str | None, typer.Option("--box-style", help="How <bbox> and <ref-object> are filled in: tokens (default) or json.")
]
_TRAIN = "train"
TrainOption = Annotated[str, typer.Option("--train-split", help="Split trained on.")]
EvalOption = Annotated[
    str | None, typer.Option("--eval-split", help="Split evaluated on; found, or a share held out, if left out.")
]
PresetOption = Annotated[
    str | None,
    typer.Option("--preset", help="Preset whose base and limits count.", autocompletion=preset_names),
]
BaseOption = Annotated[
    str | None, typer.Option("--base", help="Base model that tokens are counted for, if not the preset's.")
]


@app.command()
def check(
    source: PathOption = None,
    task: TaskOption = None,
    images: ImagesOption = None,
    columns: ColumnsOption = None,
    boxes: BoxesOption = None,
    box_style: BoxStyleOption = None,
    train_split: TrainOption = _TRAIN,
    eval_split: EvalOption = None,
    preset: PresetOption = None,
    overrides: Overrides = None,
    base: BaseOption = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode JPEG and WebP images, too; without it only their ends are looked at.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Read a whole data set as training would, and say what it holds.

    Samples that cannot be used and why, images, lengths, samples that are there twice, eval questions that are trained
    on. The limits `max_train` and `max_eval` do not count here.

    Exit status: 0, 2 when a training would not start on it, 1 when it broke, 130 interrupted.
    """
    report: dict[str, Any] = {}
    job = _job(
        "check",
        _source(source, task, images, columns, boxes, box_style, train_split, eval_split),
        preset,
        overrides,
        base,
    )
    for name, value in answers(INSPECT_DATA, job.model_copy(update={"deep": deep}), counted="read"):
        report |= value if name == "report" else {name: value}
    if json_output:
        print_json(report, indent=True)
    else:
        print_report(report)
    if not report["starts"]:
        raise typer.Exit(EXIT_MISTAKE)


@app.command()
def show(
    source: PathOption = None,
    task: TaskOption = None,
    images: ImagesOption = None,
    columns: ColumnsOption = None,
    boxes: BoxesOption = None,
    box_style: BoxStyleOption = None,
    train_split: TrainOption = _TRAIN,
    split: Annotated[str | None, typer.Option("--split", help="Split to show, if not what is trained on.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Samples, evenly spaced.")] = 3,
    preset: PresetOption = None,
    overrides: Overrides = None,
    base: BaseOption = None,
    json_output: Json = False,
) -> None:
    """Print samples as the model gets them.

    What is between [[ and ]] is trained on.

    Exit status: 0, 2 when the data cannot be opened, 1 when it broke, 130 interrupted.
    """
    job = _job(
        "show", _source(source, task, images, columns, boxes, box_style, train_split, None), preset, overrides, base
    )
    width, height = drawn_pixels()
    shown = {"limit": limit, "split": split, "columns": width or 1, "rows": height or 1}
    samples = []
    for name, value in answers(INSPECT_DATA, job.model_copy(update=shown)):
        if json_output:
            samples += [value] if name == "sample" else []
        elif name == "sample":
            print_sample(value)
        elif name == "base" and value["note"]:
            say(f"note: {value['note']}", err=True)
    if json_output:
        for sample in samples:
            for picture in sample.get("images", []):
                del picture["size"], picture["pixels"]
        print_json(samples, indent=True)


app.command()(worst)
app.command()(step)


def _source(
    path: str | None,
    task: str | None,
    images: Path | None,
    columns: list[str] | None,
    boxes: str | None,
    box_style: str | None,
    train_split: str,
    eval_split: str | None,
) -> dict[str, Any] | None:
    """The source as the program wants it; None for the preset's.

    Raises:
        DataError: there is none, and options say something of it, or one cannot be read.
    """
    if path is None:
        of_source = {
            "--task": task,
            "--images": images,
            "--columns": columns,
            "--boxes": boxes,
            "--box-style": box_style,
            "--train-split": train_split != _TRAIN,
            "--eval-split": eval_split,
        }
        if given := [option for option, value in of_source.items() if value]:
            raise DataError(f"{', '.join(given)}: such options belong to a SOURCE", "name one")
        return None
    renamed = dict[str, str]()
    for said in columns or []:
        ours, _, its = said.partition("=")
        if not ours or not its or ours in renamed:
            raise DataError(f"--columns {said}: OURS=ITS is needed, once for each of ours", "--columns question=frage")
        renamed[ours] = its
    return {
        "path": path,
        "task": task,
        "images": str(images) if images else "",
        **({"columns": renamed} if renamed else {}),
        **({"boxes": boxes} if boxes else {}),
        **({"box_style": box_style} if box_style else {}),
        "train_split": train_split,
        "eval_split": eval_split,
    }


def _job(
    mode: Literal["check", "show"],
    source: dict[str, Any] | None,
    preset: str | None,
    overrides: list[str] | None,
    base: str | None,
) -> InspectJob:
    """What the program is asked.

    Raises:
        PresetError: there is no such preset, or it has a mistake.
        DataError: neither a source nor a preset was named.
        MachineError: the training libraries are not there.
    """
    if source is None and preset is None:
        raise DataError("which data?", "name a SOURCE, or with --preset a preset whose sources are meant")
    settings = load_preset(preset or DEFAULT_PRESET, preset_folders(), overrides or []).preset
    check_libraries()
    base_name = base or settings.model.base
    return InspectJob(mode=mode, data=settings.data, source=source, base=base_name, chosen=base is not None)
