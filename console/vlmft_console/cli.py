"""`vlmft`: its commands, each imported when it is called, so that help stays instant."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vlmft_console.errors import RunBusyError
from vlmft_console.sanitize import sanitize
from vlmft_core.errors import EXIT_BUSY, EXIT_FAILED, EXIT_MISTAKE, VlmftError

COMMANDS = {
    "plan": ("plan:plan", "Show what PRESET will really do, before anything starts."),
    "run": ("run:run", "Train PRESET, show the progress, end with an adapter."),
    "eval": ("eval:evaluate", "Let base and adapter answer eval questions, side by side."),
    "answers": ("answers:answers", "List what base and adapter answer to the same eval questions."),
    "predict": ("predict:predict", "Ask a trained model, or its base, about images."),
    "merge": ("merge:merge", "Write base and adapter as one model for plain transformers."),
    "checkpoints": ("checkpoints:checkpoints", "List a run's checkpoints, and what becomes of each."),
    "adapter": ("checkpoints:adapter", "Make a checkpoint's adapter the run's own, or copy it."),
    "check": ("check:check", "Judge a training log: ours, or another tool's."),
    "watch": ("watch:watch", "Follow a training log while it grows, and judge it."),
    "plot": ("plot:plot", "Draw the charts of any training log, here or into a file."),
    "replay": ("replay:replay", "Play any training log again, as it was at each moment."),
    "compare": ("compare:compare", "Lay runs over each other, and say which was better."),
    "report": ("report:report", "Write all about a run to one file that is readable anywhere."),
    "runs": ("runs:runs", "List every run on this machine, newest first."),
    "status": ("runs:status", "Show the state of a run, how far it is and who runs it."),
    "attach": ("runs:attach", "Show a run as `vlmft run` does."),
    "logs": ("runs:logs", "Print what the ranks of a run wrote."),
    "stop": ("steer:stop", "Stop a run, with a checkpoint at its next step."),
    "resume": ("steer:resume", "Go on with a run from its newest complete checkpoint."),
    "tag": ("labels:tag", "Give a run tags to find it again by, or show them."),
    "note": ("labels:note", "Give a run a note, or show it."),
    "rm": ("steer:rm", "Delete a run with its checkpoints and its adapter."),
    "presets": ("presets:app", "List, show, compare, check, import and export presets."),
    "data": ("data:app", "Check a data set, and look at its samples."),
}
"""What `vlmft` can do: where it is, as module:name in `vlmft_console.commands`, and its line in the help, which is the
first sentence of its own help."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""What the system says of a file, or an output, that takes no more."""


_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
"""What the system says of a file that nothing is to be done with, or of a name that no file can have."""


class LazyGroup(TyperGroup):
    """Lists its commands by name and line alone; the one that is called, or completed, is imported then.

    A `VlmftError` that one of them raises is shown here, on standard error, a line for each mistake; so is a file that
    the system refuses, such as one in another person's folder, or with a name of 300 letters. What is wrong with the
    command line is one line too.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # typer's own click, or click: it depends on typer
        try:
            return self._parsed(ctx, args)
        except Exception as error:
            _end_if_misused(error, ctx)
            raise

    def _parsed(self, ctx: Any, args: list[str]) -> list[str]:
        at = 2 if args[:1] == ["--at"] and len(args) > 1 else 1 if args and args[0].startswith("--at=") else 0
        if not at:
            return super().parse_args(ctx, args)
        # What follows the machine is the vlmft's there, which may have other options. That nothing does, `call_there`
        # says: click itself would tell how vlmft is used here.
        rest = args[at:] or ([] if ctx.resilient_parsing else [""])
        return super().parse_args(ctx, [*args[:at], "--", *rest])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        there = ctx.params.get("at")
        if there is not None and not ctx.resilient_parsing:
            from vlmft_console.commands.at import call_there

            raise typer.Exit(call_there(there, args))
        name, listed, rest = super().resolve_command(ctx, args)
        # What there is to complete for another machine, that alone knows.
        return name, load(name) if name and there is None else listed, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FileNotFoundError:
            if _is_somewhere():
                raise
            typer.echo("vlmft: the folder that this was started in is gone: change to another one", err=True)
            raise typer.Exit(EXIT_MISTAKE) from None
        except (VlmftError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _REFUSED:
                raise
            text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            for line in sanitize(text).splitlines():
                typer.echo(f"vlmft: {line}", err=True)
            raise typer.Exit(EXIT_BUSY if isinstance(error, RunBusyError) else EXIT_MISTAKE) from None
        except Exception as error:
            name = getattr(error, "option_name", "")  # of the unknown option that click, or typer's own, complains of
            values = {option: parameter.metavar for parameter in self.params for option in parameter.opts}
            if name not in values:
                _end_if_misused(error, ctx)
                raise
            words = " ".join(filter(None, ("vlmft", name, values[name], ctx.invoked_subcommand)))
            typer.echo(f"vlmft: {name} stands before the command: {words} …", err=True)
            raise typer.Exit(EXIT_MISTAKE) from None


def _end_if_misused(error: Any, ctx: Any) -> None:
    """End with one line where click, or typer's own, complains of the command line, instead of its four."""
    where, complain = getattr(error, "ctx", None), getattr(error, "format_message", None)
    if complain is None or error.exit_code != EXIT_MISTAKE or (where and error.message == where.get_help()):
        return  # something else, such as an exit status; or a command without anything, which shows its help
    command = where.command_path if where else " ".join(filter(None, (ctx.command_path, ctx.invoked_subcommand)))
    complaint = " ".join(complain().split()).rstrip(".")
    typer.echo(sanitize(f"{command}: {complaint} - see `{command} -h`"), err=True)
    raise typer.Exit(EXIT_MISTAKE) from None


def _is_somewhere() -> bool:
    """Whether there is a working folder."""
    try:
        return Path.cwd().is_dir()
    except FileNotFoundError:
        return False


def load(name: str) -> Any:
    """The command as typer runs it."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"vlmft_console.commands.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(found)
        found = alone
    return _without_types(typer.main.get_command(found))


def _without_types(command: Any) -> Any:
    """The command, and those below it, with arguments that are called what they are, and not `list[str]` besides."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: ""
    for each in getattr(command, "commands", {}).values():
        _without_types(each)
    return command


app = typer.Typer(
    name="vlmft",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks print local variables, and with them secrets
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, (_, line) in COMMANDS.items():
    app.command(name, help=line)(lambda: None)


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
    at: Annotated[
        str | None,
        typer.Option(
            metavar="ssh://[USER@]HOST[:PORT][/FOLDER]",
            help="Before the command: do it on that machine, in that folder, by your own ssh.",
        ),
    ] = None,
) -> None:
    """Fine-tune Qwen2.5-VL with LoRA: choose a preset, see what it will really do, train, watch."""


def main() -> None:
    """Entry point of the `vlmft` command."""
    try:
        app()
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is still to be written there is not tried again
        with suppress(OSError):
            print(sanitize(f"vlmft: {error.filename or 'the output'}: {error.strerror}"), file=sys.stderr, flush=True)
        sys.exit(EXIT_FAILED)
