from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.records import plan, record, step, write_log
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.cli import app


@pytest.fixture
def log(tmp_path: Path) -> Path:
    start = record("run_start", run_id="r", segment=1, resumed_from=None, host="h", boot_id="b", world_size=1)
    records = [{**start, "preset": {}, "versions": {}}, plan(200)]
    records += [step(n, None if n == 50 else 4 / n, nonfinite=["loss"] if n == 50 else []) for n in range(1, 101)]
    return write_log(tmp_path / "events-0001.jsonl", records)


def plot(*args: str | Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["plot", *map(str, args)], env=env)
    return result.exit_code, result.output


def test_every_chart_that_has_data_is_printed_without_colours_into_a_pipe(log: Path) -> None:
    code, output = plot(log, "--width", "60")
    assert code == 0
    assert "\x1b" not in output
    for title in (" Loss", " Learning rate", " Gradient norm"):
        assert title in output
    assert "Memory" not in output
    assert max(len(line) for line in output.splitlines()) <= 60


def test_one_metric_at_the_size_that_was_asked_for(log: Path) -> None:
    code, output = plot(log, "--metric", "loss", "--width", "50", "--height", "9")
    assert code == 0
    assert len(output.splitlines()) == 9
    assert output.startswith(" Loss train 0.04000")


def test_the_help_names_every_chart() -> None:
    code, output = plot("--help")
    assert code == 0
    for key in CHARTS:
        assert re.search(rf"\b{key}\b", output)


def test_a_part_of_the_run_on_a_log_axis(log: Path) -> None:
    code, output = plot(log, "-m", "loss", "--from", "20", "--to", "60", "--log", "--width", "60")
    assert code == 0
    assert output.splitlines()[-1].split() == ["step", "20", "30", "40", "50", "60"]
    assert "0.1┤" in output


@pytest.mark.parametrize(
    ("part", "words", "ends"),
    [
        (["--from", "20", "--to", "60"], "only 20-60", ["20", "60"]),
        (["--from", "7", "--to", "7"], "only 7 ", ["7", "7"]),
        (["--from", "100"], "only 100 ", ["100", "100"]),
    ],
)
def test_a_part_is_named_without_the_keys_of_the_console(
    log: Path, part: list[str], words: str, ends: list[str]
) -> None:
    code, output = plot(log, "-m", "loss", *part)
    first, *_, axis = output.splitlines()
    assert (code, words in first, "follows" in output) == (0, True, False)
    assert [axis.split()[1], axis.split()[-1]] == ends


def test_the_axis_of_a_log_without_steps_counts_its_records(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("".join(f"{{'loss': {2 / n}, 'learning_rate': 1e-4, 'epoch': {n / 10}}}\n" for n in range(1, 61)))
    code, output = plot(path, "-m", "loss", "--width", "60")
    assert (code, output.splitlines()[-1].split()[:2]) == (0, ["record", "0"])
    other = tmp_path / "other.log"
    other.write_bytes(path.read_bytes())
    result = CliRunner().invoke(app, ["compare", str(path), str(other), "-m", "loss"])
    assert any(line.startswith("record ") for line in result.output.splitlines())


def test_a_terminal_that_knows_only_ascii_gets_ascii(log: Path) -> None:
    code, output = plot(log, env={"LC_ALL": "C"})
    assert code == 0
    assert output.isascii()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--metric", "speed"], "--metric speed: there is no such metric (there are loss, lr, grad_norm, epoch"),
        (["--metric", "memory"], "has no memory"),
        (["--metric", "lo(ss"], "--metric lo(ss: no regular expression"),
        (["--from", "50", "--to", "20"], "no steps lie between"),
        (["--from", "1000", "--to", "2000"], "has nothing there (it goes from 1 to 100)"),
        (["--json", "--from", "50", "--to", "20"], "--from 50 --to 20: no steps lie between"),
        (["--json", "--from", "1000"], "has nothing there (it goes from 1 to 100)"),
        (["--list", "--from", "5", "--log"], "--list has no use for --log and --from (leave that away)"),
        (["--json", "--width", "60"], "--json has no use for --width (leave that away)"),
        (["--out", "loss.svg", "--height", "9", "--json"], "a picture has no use for --height and --json"),
        (["--out", "loss.jpg"], "--out loss.jpg: charts are written as .svg or .png"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(log: Path, args: list[str], told: str) -> None:
    code, output = plot(log, *args)
    assert code == 2
    assert told in output
    assert "Traceback" not in output


def test_a_log_that_is_not_there_is_one_line_and_exit_2(tmp_path: Path) -> None:
    code, output = plot(tmp_path / "nothing")
    assert code == 2
    assert "Traceback" not in output


@pytest.fixture
def judged_by_reward(tmp_path: Path) -> Path:
    """Another program's log, with metrics that this program knows nothing of."""
    entries = [
        {"step": n, "loss": 2 / n, "reward": n / 10, "rewards/a[red]": None if n < 3 else 1.0} for n in range(1, 6)
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in [*entries, {"step": 5, "eval_wer": 0.25}]))
    return path


def test_any_metric_is_drawn_by_name_or_pattern(judged_by_reward: Path) -> None:
    code, output = plot(judged_by_reward, "-m", "eval_wer|^reward", "-m", "loss", "--width", "60", "--height", "6")
    assert code == 0
    titles = [line for line in output.splitlines() if line.startswith(" ") and line[1] != " "]
    assert [title.split()[:2] for title in titles] == [
        ["reward", "0.5000"],
        ["rewards/a[red]", "1.000"],
        ["eval_wer", "0.2500"],
        ["Loss", "train"],
    ]


def test_the_list_has_every_metric_with_its_figures(judged_by_reward: Path) -> None:
    code, output = plot(judged_by_reward, "--list")
    rows = [line.split() for line in output.splitlines()]
    assert code == 0
    assert rows[0] == ["metric", "points", "first", "last", "lowest", "highest"]
    assert ["reward", "5", "0.1000", "0.5000", "0.1000", "0.5000"] in rows
    assert ["eval_wer", "1", "0.2500", "0.2500", "0.2500", "0.2500"] in rows
    found = json.loads(plot(judged_by_reward, "--list", "-m", "wer", "--json")[1])
    assert found == {"eval_wer": {"points": 1, "first": 0.25, "last": 0.25, "lowest": 0.25, "highest": 0.25}}


def test_one_long_name_takes_no_figures_out_of_the_list_and_each_metric_is_one_row(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    names = ("y" * 150, "two\nlines")
    log.write_text(
        "".join(json.dumps({"step": n, "loss": 2 / n} | dict.fromkeys(names, n)) + "\n" for n in range(1, 6))
    )
    code, output = plot(log, "--list", env={"COLUMNS": "80"})
    rows = [line.split() for line in output.splitlines()]
    assert code == 0
    assert ["loss", "5", "2.000", "0.4000", "0.4000", "2.000"] in rows
    assert ["two\\nlines", "5", "1.000", "5.000", "1.000", "5.000"] in rows
    assert sum(row.count("5.000") for row in rows) == 4
    assert output.count("y") == 150


def test_json_has_the_points(judged_by_reward: Path) -> None:
    code, output = plot(judged_by_reward, "-m", "^rewards", "--json")
    assert (code, json.loads(output)) == (0, {"rewards/a[red]": {"steps": [3.0, 4.0, 5.0], "values": [1.0, 1.0, 1.0]}})


def test_json_has_the_points_of_the_steps_that_are_asked_for(judged_by_reward: Path) -> None:
    code, output = plot(judged_by_reward, "-m", "reward", "--json", "--from", "2", "--to", "3")
    assert (code, json.loads(output)) == (0, {"reward": {"steps": [2.0, 3.0], "values": [0.2, 0.3]}})
