"""The `vlmft` command as a whole: its commands are listed without being imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.run_folders import ended_run
from vlmft_console.cli import COMMANDS, app, load
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys\nfrom vlmft_console.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('vlmft_console.commands.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)


def test_to_look_at_runs_to_stop_and_to_delete_them_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys\nfrom vlmft_console.cli import load\n"
        "for name in ('runs', 'status', 'attach', 'logs', 'stop', 'rm'): load(name)\n"
        "print(sorted(sys.modules.keys() & {'pydantic', 'torch', 'textual', 'vlmft_core.preset'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_line_is_the_first_sentence_of_its_own_help(name: str) -> None:
    own = load(name).get_short_help_str(1000)
    assert COMMANDS[name][1] == own
    shown = CliRunner().invoke(app, [name, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert f"Usage: vlmft {name} " in shown.stdout
    assert own in shown.stdout


@pytest.mark.parametrize("words", [[name] for name in COMMANDS] + [["presets", "compare"], ["data", "check"]])
def test_arguments_are_called_what_they_are_and_not_their_type(words: list[str]) -> None:
    told = CliRunner().invoke(app, [*words, "--help"]).stdout
    arguments = told.partition("Arguments:")[2].partition("Options:")[0]
    assert arguments or "Arguments:" not in told
    assert "<" not in arguments
    assert "list[" not in told


def test_a_command_that_is_none_is_answered_with_those_near_it() -> None:
    result = CliRunner().invoke(app, ["plann"])
    assert result.exit_code == 2
    assert "No such command 'plann'. Did you mean 'plan'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nope"], "vlmft: No such option: --nope - see `vlmft -h`"),
        (["plot"], "vlmft plot: Missing argument 'RUN|LOG' - see `vlmft plot -h`"),
        (["presets", "show"], "vlmft presets show: Missing argument"),
        (["runs", "--sort"], "vlmft runs: Option '--sort' requires an argument - see `vlmft runs -h`"),
        (["plot", "a", "b\x1b[31m"], "vlmft plot: Got unexpected extra argument(s) (b\\x1b[31m)"),
        (["run", "best", "--gpus", "few"], "vlmft run: Invalid value for '--gpus': "),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(told)


def test_so_it_is_in_that_of_the_console() -> None:
    program = [sys.executable, "-c", "from vlmft_console.app.start import main; main()"]
    done = subprocess.run([*program, "--nope"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "vlmft-console: unrecognized arguments: --nope (see vlmft-console --help)\n"


def test_a_group_without_a_command_shows_its_help() -> None:
    result = CliRunner().invoke(app, ["presets"])
    assert "validate" in result.output
    assert "--install-completion" not in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runs", "--at", "ssh://gpu1"], "--at stands before the command: vlmft --at ssh://[USER@]HOST"),
        (["presets", "list", "--at=ssh://gpu1"], "--at stands before the command: vlmft --at ssh://[USER@]HOST"),
        (["run", "demo", "--version"], "--version stands before the command: vlmft --version run …"),
    ],
)
def test_an_option_that_stands_before_the_command_is_told_where_it_belongs(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"vlmft: {told}")
    assert result.stderr.count("\n") == 1


def test_a_tilde_that_no_shell_has_replaced_is_the_home_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = here / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    done = CliRunner().invoke(app, ["run", "demo", "--dry-run", "--output-root=~/runs", "--run-name=a"])
    assert f"--output_dir={home}/runs/a" in done.stdout
    assert CliRunner().invoke(app, ["presets", "export", "best", "--output=~/best.json"]).exit_code == 0
    assert [file.name for file in home.iterdir()] == ["best.json"]
    asked = CliRunner().invoke(app, ["predict", "demo", "--set=hardware.device=cpu", "--batch=~/asked.jsonl"])
    assert f"vlmft: {home}/asked.jsonl: No such file" in asked.stderr


def test_the_list_of_runs_says_health_preset_and_age_and_the_list_of_commands_cuts_no_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_run(here / "outputs", "mine")
    monkeypatch.setenv("COLUMNS", "140")
    done = CliRunner().invoke(app, ["runs"])
    titles = ["run", "state", "step", "left", "train", "eval", "health", "preset", "age"]
    assert done.stdout.splitlines()[0].split() == titles
    told = CliRunner().invoke(app, ["--help"]).stdout
    assert "…" not in told


def test_a_run_that_was_resumed_and_stopped_before_its_next_step_keeps_its_loss(here: Path) -> None:
    folder = ended_run(here / "outputs", "again", status="stopped")
    log = EventWriter(folder.events_file(2))
    log.write(events.RUN_START, run_id="0" * 32, segment=2, resumed_from=20)
    log.close()
    for _ in range(2):  # read, and from what was kept of it
        (row,) = [line.split() for line in CliRunner().invoke(app, ["runs"]).stdout.splitlines() if "again" in line]
        assert row[1:5] == ["stopped", "20/20", "0.1000", "1.050"]
    told = CliRunner().invoke(app, ["status", "again"]).stdout
    assert "0.1000" in told
