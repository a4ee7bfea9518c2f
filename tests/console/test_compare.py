from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.records import plan, record, step, write_log
from tests.supervised import LONG, Supervised
from vlmft_console.cli import app
from vlmft_console.history.loading import ReadLog, read_log
from vlmft_console.report.better import better
from vlmft_console.report.compare import outcomes, preset_differences
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.scores import add_points
from vlmft_core.run_folder.stop import StopRequest


def write_run(root: Path, name: str, *, eval_loss: float, preset: str = "{}", **tasks: Any) -> Path:
    """A run folder with three steps, an eval of the base and one of the adapter."""
    folder = root / name
    (folder / "logs").mkdir(parents=True)
    (folder / "preset.yaml").write_text(preset)
    (folder / "run.json").write_text("{}")
    records = [record("run_start", run_id="r", segment=1), plan(3)]
    records += [record("eval", step=0, epoch=0.0, eval_loss=None, tasks={})]
    records += [step(n, 1 / n, samples_per_s=10.0 * n) for n in (1, 2, 3)]
    records += [record("eval", step=3, epoch=1.0, eval_loss=eval_loss, tasks=tasks)]
    records += [record("run_end", status="finished")]
    write_log(folder / "logs" / "events-0001.jsonl", records)
    return folder


def read(*folders: Path) -> list[ReadLog]:
    return [read_log(folder) for folder in folders]


def compare(*args: Any) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, args)])


def test_the_lower_eval_loss_is_better_and_by_how_much_is_said(tmp_path: Path) -> None:
    runs = read(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.4))
    judged = better(runs)
    assert judged.winner == 1
    assert "b is better by 0.1000 of eval loss, 20.0 %" in judged.text
    assert "only if" not in judged.text


def test_accuracy_on_tasks_outranks_the_eval_loss(tmp_path: Path) -> None:
    good = {"chartqa": {"relaxed_accuracy": 0.8, "n": 2500}}
    bad = {"chartqa": {"relaxed_accuracy": 0.6, "n": 2500}}
    judged = better(
        read(write_run(tmp_path, "a", eval_loss=0.5, **good), write_run(tmp_path, "b", eval_loss=0.4, **bad))
    )
    assert judged.winner == 0
    assert judged.text.startswith(
        "a is better by 20.0 points of accuracy on chartqa: 80.0 % [78.4, 81.5], b 60.0 % [58.1, 61.9]."
    )
    assert "not kept in a and b: by the shares alone, the difference lies in [17.5, 22.5]." in judged.text
    assert "chance" not in judged.text


def test_a_difference_on_few_questions_is_called_chance(tmp_path: Path) -> None:
    first = {"chartqa": {"relaxed_accuracy": 0.52, "n": 50}}
    second = {"chartqa": {"relaxed_accuracy": 0.50, "n": 50}}
    runs = read(write_run(tmp_path, "a", eval_loss=0.5, **first), write_run(tmp_path, "b", eval_loss=0.5, **second))
    judged = better(runs)
    assert judged.winner is None
    assert "a is ahead by 2.0 points" in judged.text
    assert "the difference lies in [-17.0, 20.8], which may be chance" in judged.text


def test_several_tasks_count_alike_in_the_mean_and_in_its_error(tmp_path: Path) -> None:
    first = {"chartqa": {"relaxed_accuracy": 0.8, "n": 100}, "textvqa": {"accuracy": 0.4, "n": 50}}
    second = {"chartqa": {"relaxed_accuracy": 0.5, "n": 100}, "textvqa": {"accuracy": 0.5, "n": 50}}
    runs = read(write_run(tmp_path, "a", eval_loss=0.5, **first), write_run(tmp_path, "b", eval_loss=0.5, **second))
    judged = better(runs)
    assert judged.values == pytest.approx((0.6, 0.5))
    assert judged.text.startswith("a is ahead by 10.0 points of accuracy on chartqa and textvqa: 60.0 % [")
    assert judged.winner is None
    # the mean of 0.3 and -0.1, off by about 1.96 * sqrt(0.8 * 0.2 / 100 + 0.4 * 0.6 / 50 + 0.25 / 100 + 0.25 / 50) / 2
    assert "the difference lies in [-1.2, 21.2], which may be chance" in judged.text


def test_a_verdict_between_other_data_says_so(tmp_path: Path) -> None:
    other = "data: {max_eval: 7}"
    runs = read(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.4, preset=other))
    judged = better(runs)
    assert judged.winner is None
    assert "not evaluated on the same data" in judged.text


def test_runs_without_presets_are_not_taken_to_be_evaluated_on_the_same_data(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, name, eval_loss=loss) for name, loss in (("a", 0.5), ("b", 0.4))]
    for folder in folders:
        (folder / "preset.yaml").unlink()
    judged = better(read(*folders))
    assert judged.winner is None
    assert "b is ahead by 0.1000 of eval loss" in judged.text
    assert "only if all were evaluated on the same data" in judged.text


def test_without_a_common_measure_nothing_is_called_better(tmp_path: Path) -> None:
    lone = tmp_path / "events-0001.jsonl"
    write_log(lone, [record("run_start", run_id="r", segment=1), step(1)])
    judged = better(read(write_run(tmp_path, "a", eval_loss=0.5), lone))
    assert judged.winner is None
    assert "open" in judged.text


def test_only_parameters_that_differ_are_listed(tmp_path: Path) -> None:
    runs = read(
        write_run(tmp_path, "a", eval_loss=0.5),
        write_run(tmp_path, "b", eval_loss=0.4, preset="lora: {dropout: 0.1}\nreasons: {lora.r: because}"),
    )
    assert [(row.label, row.texts) for row in preset_differences(runs)] == [("lora.dropout", ("0.05", "0.1"))]


def test_the_best_figure_of_each_row_is_known(tmp_path: Path) -> None:
    runs = read(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.4))
    rows = {row.label: row for row in outcomes(runs)}
    assert (rows["best eval loss"].texts, rows["best eval loss"].best) == (("0.5000", "0.4000"), 1)
    assert rows["train loss, last tenth"].best is None
    assert rows["samples/s, median"].texts == ("20.00", "20.00")


def test_the_outcome_has_a_row_for_every_task_that_a_tuned_model_answered(tmp_path: Path) -> None:
    tasks = {"chartqa": {"relaxed_accuracy": 0.625, "n": 8}, "textvqa": {"accuracy": 0.5, "n": 8}}
    runs = read(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.5, **tasks))
    rows = {row.label: row for row in outcomes(runs)}
    assert rows["chartqa, tuned"].texts == ("-", "62.5 % [30.6, 86.3]")
    assert rows["textvqa, tuned"].texts == ("-", "50.0 % [21.5, 78.5]")


def test_the_findings_that_hold_are_counted_by_severity(tmp_path: Path) -> None:
    stopped = write_run(tmp_path, "a", eval_loss=0.5)
    events = stopped / "logs" / "events-0001.jsonl"
    lost = [step(n, None, nonfinite=["loss"]) for n in (4, 5, 6)]
    whole = events.read_text().splitlines()[:-1] + [json.dumps(each) for each in lost]
    events.write_text("".join(f"{line}\n" for line in whole))
    runs = read(stopped, write_run(tmp_path, "b", eval_loss=0.5))
    rows = {row.label: row.texts for row in outcomes(runs)}
    assert rows["findings"] == ("1 stop, 1 caution", "1 caution")


def test_a_small_rate_is_written_as_people_write_it(tmp_path: Path) -> None:
    other = "training: {learning_rate: 3.0e-05}"
    runs = read(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.4, preset=other))
    assert [row.texts for row in preset_differences(runs)] == [("4e-5", "3e-5")]


def test_how_a_run_stands_is_told_where_it_has_not_ended(tmp_path: Path) -> None:
    run = Supervised(tmp_path / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    runs = read(run.folder.path, write_run(tmp_path, "b", eval_loss=0.4))
    assert outcomes(runs)[0].texts == ("running", "finished")
    StopRequest("a test").write(run.folder)
    run.wait_for_end()


def test_the_command_prints_charts_tables_and_the_verdict(tmp_path: Path) -> None:
    result = compare(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.4), "--by", "epoch")
    assert result.exit_code == 0
    assert "Train loss" in result.output
    assert "1 a" in result.output
    assert "b is better by" in result.output.splitlines()[-1]


def test_json_has_the_same_for_a_script(tmp_path: Path) -> None:
    result = compare(write_run(tmp_path, "a", eval_loss=0.5), write_run(tmp_path, "b", eval_loss=0.4), "--json")
    answer = json.loads(result.output)
    assert answer["runs"] == ["a", "b"]
    assert answer["better"]["run"] == "b"
    assert answer["better"]["values"] == [0.5, 0.4]


def test_any_metric_is_compared_by_name_or_pattern(tmp_path: Path) -> None:
    logs = []
    for name, factor in (("a", 1.0), ("b", 2.0)):
        entries = [{"step": n, "loss": 1 / n, "reward": factor * n, "kl": 0.1} for n in range(1, 5)]
        logs.append(tmp_path / f"{name}.jsonl")
        logs[-1].write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    shown = compare(*logs, "-m", "^rew").output
    assert " reward " in shown
    assert "Train loss" not in shown
    assert ["reward,", "last", "4.000", "8.000"] in [line.split() for line in shown.splitlines()]
    answer = json.loads(compare(*logs, "--json").output)
    assert [each["last"] for each in answer["metrics"]["reward"]] == [4.0, 8.0]
    assert list(json.loads(compare(*logs, "-m", "kl", "--json").output)["metrics"]) == ["kl"]
    refused = compare(*logs, "-m", "nothing")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "there are loss, reward, kl" in refused.stderr


@pytest.mark.parametrize(("count", "said"), [(1, "1 run"), (9, "9 runs")])
def test_one_run_or_nine_are_refused_in_one_line(tmp_path: Path, count: int, said: str) -> None:
    folder = write_run(tmp_path, "a", eval_loss=0.5)
    result = compare(*[folder] * count)
    assert result.exit_code == 2
    assert result.stderr == f"vlmft: {said} to compare (name 2 to 8)\n"


def with_answers(root: Path, name: str, right: list[int], *, eval_loss: float = 0.5, first: int = 0) -> Path:
    """A run that answered questions, numbered from `first` on, and kept which of them rightly."""
    scores = {"chartqa": {"relaxed_accuracy": sum(right) / len(right), "n": len(right)}}
    folder = write_run(root, name, eval_loss=eval_loss, **scores)
    points = {f"question {number}": float(value) for number, value in enumerate(right, first)}
    add_points(RunLayout(folder).scores_file, 3, "chartqa", points)
    return folder


def test_a_run_is_not_compared_with_itself_whatever_it_is_called(tmp_path: Path) -> None:
    run = write_run(tmp_path, "a", eval_loss=0.5)
    (tmp_path / "link").symlink_to(run)
    for other in (run, tmp_path / "link", run / "logs"):
        result = compare(run, other)
        assert result.exit_code == 2
        assert result.stderr == f"vlmft: {run} and {other} are the same run (name each once)\n"


def test_the_same_questions_are_compared_one_by_one(tmp_path: Path) -> None:
    # 90 against 82 of 100: by the shares alone that may be chance, but the one is right wherever the other is
    low = with_answers(tmp_path, "low", [1] * 82 + [0] * 18)
    high = with_answers(tmp_path, "high", [1] * 90 + [0] * 10)
    judged = better(read(low, high))
    assert judged.winner == 1
    assert judged.text == (
        "high is better by 8.0 points of accuracy on chartqa: 90.0 % [82.6, 94.5], low 82.0 % [73.3, 88.3]."
        " On all 100 questions that both answered: better on 8, worse on 0, p = 0.0078."
    )
    RunLayout(low).scores_file.unlink()
    alone = better(read(low, high))
    assert alone.winner is None
    assert "which may be chance" in alone.text
    assert "not kept in low" in alone.text


def test_one_right_of_one_against_none_of_one_is_chance(tmp_path: Path) -> None:
    kept = [with_answers(tmp_path, "a", [1]), with_answers(tmp_path, "b", [0])]
    assert better(read(*kept)).winner is None
    for folder in kept:
        RunLayout(folder).scores_file.unlink()
    judged = better(read(*kept))
    assert judged.winner is None
    assert "chance" in judged.text


def test_only_questions_that_both_were_asked_are_compared(tmp_path: Path) -> None:
    first = with_answers(tmp_path, "a", [1] * 40)
    other = with_answers(tmp_path, "b", [0] * 40, first=30)
    judged = better(read(first, other))
    assert judged.winner == 0
    assert "On the 10 questions that both answered (of 40), +100.0 points: better on 10, worse on 0" in judged.text
    apart = better(read(first, with_answers(tmp_path, "c", [0] * 40, first=40)))
    assert apart.winner is None
    assert "They were not asked the same questions" in apart.text


def test_where_the_answers_leave_it_open_the_eval_loss_decides_and_that_is_said(tmp_path: Path) -> None:
    first = with_answers(tmp_path, "a", [1] * 15 + [0] * 5, eval_loss=0.5)
    second = with_answers(tmp_path, "b", [1] * 14 + [0] * 6, eval_loss=0.4)
    judged = better(read(first, second))
    assert (judged.winner, judged.measure) == (1, "best eval loss")
    assert "a is ahead by 5.0 points" in judged.text
    assert "may be chance. So the eval loss decides: b is better by 0.1000 of eval loss, 20.0 %" in judged.text
    equal = better(read(first, with_answers(tmp_path, "c", [1] * 15 + [0] * 5, eval_loss=0.501)))
    assert equal.winner is None
    assert "which may be chance (that makes up to 0.6 %)" in equal.text


def test_json_has_the_intervals_and_the_probability_of_chance(tmp_path: Path) -> None:
    runs = with_answers(tmp_path, "low", [1] * 80 + [0] * 20), with_answers(tmp_path, "high", [1] * 90 + [0] * 10)
    found = json.loads(compare(*runs, "--json").output)["better"]
    assert found["run"] == "high"
    assert found["low"] == pytest.approx([0.7112, 0.8256], abs=1e-4)
    assert found["high"] == pytest.approx([0.8666, 0.9448], abs=1e-4)
    assert found["p"] == pytest.approx(2 / 2**10)


def test_eval_losses_of_few_samples_differ_by_chance(tmp_path: Path) -> None:
    def judged(samples: int) -> int | None:
        folders = [write_run(tmp_path, f"{name}{samples}", eval_loss=loss) for name, loss in (("a", 0.5), ("b", 0.47))]
        for folder in folders:
            events = folder / "logs" / "events-0001.jsonl"
            events.write_text(events.read_text().replace('"eval_loss": 0', f'"samples": {samples}, "eval_loss": 0'))
        assert f'"samples": {samples}' in events.read_text()
        return better(read(*folders)).winner

    assert [judged(100), judged(10_000)] == [None, 1]
