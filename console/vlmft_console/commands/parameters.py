"""Parameters: arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmft_console.commands.completion import preset_keys, preset_names, run_names
from vlmft_core.home import expanded

PresetName = Annotated[
    str, typer.Argument(metavar="PRESET", help="A preset's name, or a YAML file.", autocompletion=preset_names)
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or its folder.", autocompletion=run_names)]
Log = Annotated[
    str,
    typer.Argument(
        metavar="RUN|LOG",
        help="A run's name or folder, a log of any known format, or a folder with logs.",
        autocompletion=run_names,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Change one of the preset's values; may be given again.",
        autocompletion=preset_keys,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Load files that others own or may change: they could run as you.")
]
Gone = Annotated[
    bool,
    typer.Option("--gone", help="Of a run of another machine: that is gone for good, and nothing of the run lives."),
]
Detach = Annotated[bool, typer.Option("--detach", help="Return as soon as the run has started.")]
RunNumber = Annotated[
    int | None,
    typer.Option("--run", min=1, help="Which training, of a log that holds several, counted from 1. The last, if not."),
]
EvalSet = Annotated[
    str | None,
    typer.Option("--eval-set", help="Which eval set, of a log that tells of several. The first, if not."),
]


def in_home(path: Path | None) -> Path | None:
    """The path that an option means: of `--output=~/x` no shell has replaced the `~`."""
    return path and expanded(path)
