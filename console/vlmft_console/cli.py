"""The `vlmft` command. Heavy modules are imported inside the commands that need them: help stays instant."""

from __future__ import annotations

from typing import Annotated

import typer

from vlmft_console.commands import data, presets, steer, watch
from vlmft_console.commands.check import check
from vlmft_console.commands.compare import compare
from vlmft_console.commands.eval import evaluate
from vlmft_console.commands.merge import merge
from vlmft_console.commands.plan import plan
from vlmft_console.commands.plot import plot
from vlmft_console.commands.predict import predict
from vlmft_console.commands.replay import replay
from vlmft_console.commands.report import report
from vlmft_console.commands.run import run
from vlmft_console.commands.watch_log import watch as watch_log

app = typer.Typer(
    name="vlmft",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks print local variables, and with them secrets
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(presets.app, name="presets")
app.add_typer(data.app, name="data")
app.command("plan")(plan)
app.command("run")(run)
app.command("eval")(evaluate)
app.command("predict")(predict)
app.command("merge")(merge)
app.command("check")(check)
app.command("watch")(watch_log)
app.command("plot")(plot)
app.command("replay")(replay)
app.command("compare")(compare)
app.command("report")(report)
for command in (watch.runs, watch.status, watch.attach, watch.logs, steer.stop, steer.resume, steer.rm):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vlmft {version('vlmft')}")
        raise typer.Exit


@app.callback()
def main_options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Fine-tune Qwen2.5-VL with LoRA: choose a preset, see what it will really do, train, watch."""


def main() -> None:
    """Entry point of the `vlmft` command."""
    app()
