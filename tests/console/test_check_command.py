"""`vlmft check` and `vlmft watch`, as a person calls them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.console.foreign_logs import HF_STDOUT, trainer_state
from tests.records import plan, record, run_start, step, write_log
from vlmft_console.cli import app
from vlmft_console.commands import watch
from vlmft_core.run_folder.events import Record

RECORDED = Path(__file__).resolve().parents[2] / "logs"

KEYS = [
    *("format", "records", "train_points", "eval_points", "lr_points", "grad_norm_points", "nonfinite", "rejected"),
    *("first_loss", "last_loss", "best_eval", "last_eval_loss", "schedule"),
    *("diagnosis", "other_diagnoses", "findings", "odd_steps"),
    *("notes", "metrics", "runs", "eval_set", "eval_sets"),
]


def call(command: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [command, *map(str, arguments)])


def overfitting() -> bytes:
    history: list[dict[str, object]] = []
    for index, eval_loss in enumerate((2.0, 1.5, 1.6, 1.8, 2.2, 2.6), start=1):
        at = {"step": 100 * index, "epoch": float(index)}
        history += [
            {**at, "loss": 2.5 / index, "learning_rate": 1e-4, "grad_norm": 0.5},
            {**at, "eval_loss": eval_loss},
        ]
    return trainer_state(history)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_json_has_exactly_the_keys_that_scripts_rely_on(log: Path) -> None:
    log.write_bytes(overfitting())
    result = call("check", log, "--json")
    judged = json.loads(result.stdout)
    assert list(judged) == KEYS
    assert (judged["format"], judged["records"], judged["train_points"], judged["eval_points"]) == (
        "trainer_state",
        *(12, 6, 6),
    )
    assert judged["best_eval"] == {"step": 200, "epoch": 2.0, "eval_loss": 1.5}
    assert (judged["first_loss"], judged["last_eval_loss"]) == (2.5, 2.6)
    assert judged["schedule"] == {"kind": "constant", "warmup_steps": 0, "max_deviation": 0.0}
    assert list(judged["findings"][0]) == ["rule", "severity", "step", "epoch", "message", "advice"]
    told = judged["diagnosis"]
    assert list(told) == ["cause", "severity", "step", "epoch", "sentence", "evidence", "advice", "changes"]
    assert (told["cause"], told["severity"], told["step"]) == ("overfitting", "stop", 200)
    assert {each["rule"] for each in told["evidence"]} == {finding["rule"] for finding in judged["findings"]}
    assert judged["other_diagnoses"] == []


def test_the_exit_status_tells_a_stop_finding_from_a_log_that_cannot_be_read(log: Path) -> None:
    log.write_bytes(overfitting())
    assert call("check", log).exit_code == 3
    log.write_bytes(HF_STDOUT.replace(b"nan", b"1.5"))
    assert call("check", log).exit_code == 0
    log.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    refused = call("check", log)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "git-LFS pointer" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_text_names_best_eval_schedule_and_advice(log: Path) -> None:
    log.write_bytes(overfitting())
    text = " ".join(call("check", log).stdout.split())
    assert "1.500 at step 200 (epoch 2)" in text
    assert "6 points: first 2.500," in text
    assert "constant, at most 0.0 % of the peak apart" in text
    assert "stop overfits since step 200 (epoch 2): eval loss 1.500 -> 2.600 (+73.3 %)," in text
    assert "train loss 1.250 -> 0.4167" in text
    assert "1. eval_off_best: eval loss 2.600 is 73.3 % above its best 1.500 at step 200" in text
    assert "2. eval_rising: eval loss rose 4 evals in a row" in text
    assert text.count("advice:") == 1


def test_a_training_by_reward_gets_no_verdict_on_its_evals_and_every_command_says_so(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    history = [
        {"step": 10 * n, "loss": 0.02 / n, "eval_loss": 0.01 * n, "rewards/accuracy": n / 6, "kl": 0.1}
        for n in range(1, 7)
    ]
    log.write_bytes(trainer_state(history))
    result = call("check", log)
    assert (result.exit_code, "no findings" in result.stdout) == (0, True)
    why = "the evals get no verdict: the training goes by reward or preference (it logs rewards/accuracy)"
    assert why in " ".join(result.stdout.split())
    assert json.loads(call("check", log, "--json").stdout)["notes"] == [why]
    assert why in json.loads(call("report", log, "--format", "json").stdout)["notes"]
    log.write_text("".join(f"{entry}\n" for entry in [*history, {"train_runtime": 9.0, "epoch": 3.0}]))
    assert why in " ".join(call("watch", log).stdout.split())


def test_a_run_whose_own_metric_is_at_its_best_is_only_cautioned(log: Path) -> None:
    document = json.loads(overfitting())
    for index, entry in enumerate(document["log_history"]):
        entry |= {"eval_wer": 0.9 - 0.1 * index} if "eval_loss" in entry else {}
    own = {"best_metric": document["log_history"][-1]["eval_wer"], "best_global_step": 600}
    log.write_text(json.dumps(document | own))
    result = call("check", log)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "since step 200 (epoch 2), while eval_wer, the run's own metric, is at its best" in text


def test_where_a_log_names_no_steps_none_are_claimed(log: Path) -> None:
    log.write_bytes(HF_STDOUT)
    judged = json.loads(call("check", log, "--json").stdout)
    assert judged["best_eval"] == {"step": None, "epoch": 0.2, "eval_loss": 2.125}
    assert judged["nonfinite"] == 1
    assert "2.125 at epoch 0.2" in " ".join(call("check", log).stdout.split())


def test_what_is_wrong_in_a_log_without_steps_is_told_by_its_records(log: Path) -> None:
    entries: list[dict[str, float]] = []
    for at in range(1, 61):
        entries.append({"loss": 2 / at, "grad_norm": 1.0, "epoch": at / 10})
        entries += [] if at % 5 else [{"eval_loss": 1.0 + abs(at - 20) / 20, "epoch": at / 10}]
    log.write_text("".join(f"{entry}\n" for entry in entries))
    told, judged = call("check", log), json.loads(call("check", log, "--json").stdout)
    assert "overfits since record 20 (epoch 2)" in " ".join(told.stdout.split())
    for text in (told.stdout, json.dumps(judged)):
        assert "record 20" in text
        assert "step 20" not in text


def test_hostile_text_reaches_the_terminal_as_visible_escapes(log: Path) -> None:
    log.write_bytes(trainer_state([{"step": 1, "loss": 1.0}]))
    hostile = log.with_name("[red]\x1b[31m.json")
    log.rename(hostile)
    result = call("check", hostile)
    assert "\x1b" not in result.stdout
    assert "[red]" in result.stdout.replace("\n", "").replace(" ", "")
    assert "\x1b" not in call("check", hostile.with_name("\x1b[31m")).stderr


def test_a_run_folder_is_judged_by_its_own_preset(tmp_path: Path) -> None:
    logs = tmp_path / "run" / "logs"
    logs.mkdir(parents=True)
    monitor = {"monitor": {"loss_high": 0.9, "window": 5}}
    records = [record("run_start", 0, run_id="x", segment=1, preset=monitor), plan(), *map(step, range(1, 60))]
    (logs / "events-0001.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records) + "torn\n")
    judged = json.loads(call("check", tmp_path / "run", "--json").stdout)
    assert (judged["format"], judged["records"], judged["train_points"], judged["rejected"]) == ("vlmft", 61, 59, 1)
    assert judged["schedule"]["kind"] == "constant"
    assert [finding["rule"] for finding in judged["findings"]] == ["loss_high"]  # 1.0 is above this preset's


def test_the_rows_of_odd_steps_are_named_but_for_those_that_a_resume_took_back(tmp_path: Path) -> None:
    def odd(at: int, **fields: Any) -> Record:
        return record("rows", at, step=at, why="the loss is not finite", rows=[f"a.json, line {at}"], of=1, **fields)

    began = [run_start(), plan(), *map(step, range(1, 21)), odd(9), odd(15)]
    went_on = [run_start(2, 10), *map(step, range(11, 21)), *(odd(at) for at in (12, 16, 18, 19))]
    log = write_log(tmp_path / "events.jsonl", [*began, *went_on])
    told = call("check", log).stdout
    assert "step 9: the loss is not finite; rows: a.json, line 9" in told
    assert "step 15" not in told
    assert "and 2 more such steps" in told
    found = json.loads(call("check", log, "--json").stdout)["odd_steps"]
    assert [(each["step"], each["rows"]) for each in found] == [
        (at, [f"a.json, line {at}"]) for at in (9, 12, 16, 18, 19)
    ]


def test_json_has_the_speed_and_memory_of_our_own_steps() -> None:
    told = json.loads(call("check", RECORDED / "healthy", "--json").stdout)["metrics"]
    assert {"step_s", "data_s", "samples_per_s", "tokens_per_s", "mem_gib"} <= set(told)
    assert told["step_s"]["points"] == told["loss"]["points"]


def test_advice_on_another_programs_log_names_no_adapter_that_it_may_not_have(log: Path) -> None:
    log.write_bytes(overfitting())
    assert "dropout 0.1" in call("check", log).stdout
    assert "LoRA" not in call("check", log).stdout


def test_what_reads_a_log_loads_no_pydantic() -> None:
    for command in ("check", "plot", "replay"):
        code = f"import sys, vlmft_console.commands.{command}; print('pydantic' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n", command


def test_an_eval_of_the_base_is_not_the_best(log: Path) -> None:
    log.write_bytes(
        trainer_state([{"step": 0, "eval_loss": 0.1}, {"step": 5, "loss": 1}, {"step": 5, "eval_loss": 0.5}])
    )
    assert json.loads(call("check", log, "--json").stdout)["best_eval"]["step"] == 5


def test_watch_waits_for_a_log_follows_it_and_judges_it(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)
    waited = threading.Event()
    pieces = [b"starting up\n", HF_STDOUT[:1000], HF_STDOUT]

    def write_more(seconds: float) -> None:
        waited.set()
        if pieces:
            log.write_bytes(pieces.pop(0))

    monkeypatch.setattr("time.sleep", write_more)
    result = call("watch", log)
    assert waited.is_set()
    assert "does not exist: waiting for the first one" in result.stdout
    assert "eval at record 2: loss 2.125" in result.stdout
    assert "record 3/?  loss 2" in result.stdout
    assert result.exit_code in (0, 3)


def test_a_log_without_steps_is_told_by_its_records_while_it_is_followed_and_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "train.log"
    lines = []
    for index, loss in enumerate([1.1, 1.3, 1.6], 1):
        lines += [str({"loss": 2.0 / index, "epoch": index - 0.5}), str({"eval_loss": loss, "epoch": float(index)})]
    log.write_text("\n".join([*lines, str({"train_runtime": 10.0, "epoch": 3.0}), ""]))
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    for told in (call("watch", log).stdout, call("report", log, "--format", "md").stdout):
        assert "record 1" in told
        assert not re.search(r"\bstep \d", told)


def test_watch_says_each_finding_of_our_own_log_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    recorded = (RECORDED / "overfitting" / "logs" / "events-0001.jsonl").read_text().splitlines(keepends=True)
    told = next(json.loads(line) for line in recorded if '"health"' in line)
    of_another_version = json.dumps(told | {"rule": "solar_flare", "message": "hot", "advice": ""}) + "\n"
    log = tmp_path / "events-0001.jsonl"
    log.write_text("".join([*recorded[:-1], of_another_version, recorded[-1]]))
    lines = call("watch", log).stdout.splitlines()
    assert len([line for line in lines if line.startswith(("caution: eval_rising", "stop: eval_rising"))]) == 1
    assert [line for line in lines if line.startswith("stop: overfits since step 20")] != []
    assert "  2. eval_rising: eval loss rose 4 evals in a row, to 0.9928" in " ".join(lines)
    assert [line for line in lines if line.startswith("health:")] == ["health: caution: solar_flare: hot"]
    events = [json.loads(line) for line in call("watch", log, "--json").stdout.splitlines()]
    assert len(events) == len(recorded) + 1


def test_watch_refuses_what_never_will_be_a_log(log: Path) -> None:
    log.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert call("watch", log).exit_code == 2


def restarted() -> bytes:
    """A log of two trainings: the first overfits, the second does not."""
    lost = [{"step": 10 * n, "loss": 1 / n, "eval_loss": 1 + n / 5} for n in range(1, 7)]
    went = [{"step": 10 * n, "loss": 2 / n, "eval_loss": 2 / n, "reward": n / 2} for n in range(1, 5)]
    return "".join(json.dumps(entry) + "\n" for entry in [*lost, *went]).encode()


def test_the_last_of_several_trainings_is_judged_and_all_are_told(log: Path) -> None:
    log.write_bytes(restarted())
    result = call("check", log, "--json")
    judged = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (judged["train_points"], judged["eval_points"], judged["findings"]) == (4, 4, [])
    told = {"points": 6, "evals": 6, "first_step": 10, "last_step": 60, "ended": None}
    assert judged["runs"] == [
        {"number": 1, **told, "judged": False},
        {"number": 2, **told, "points": 4, "evals": 4, "last_step": 40, "judged": True},
    ]
    text = " ".join(call("check", log).stdout.split())
    assert "training 1: steps 10 to 60, 6 points, 6 evals training 2: steps 10 to 40, 4 points" in text


def test_another_training_is_judged_when_it_is_chosen(log: Path) -> None:
    log.write_bytes(restarted())
    result = call("check", log, "--run", "1", "--json")
    judged = json.loads(result.stdout)
    assert (result.exit_code, judged["train_points"], judged["last_eval_loss"]) == (3, 6, 2.2)
    assert "reward" not in judged["metrics"]
    assert [run["judged"] for run in judged["runs"]] == [True, False]
    refused = call("check", log, "--run", "3")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "has no training 3 (it has 1: steps 10 to 60, 6 points, 6 evals; 2: steps 10 to 40" in refused.stderr


def test_metrics_have_their_figures_and_the_judged_eval_set_is_named(log: Path) -> None:
    entries = [{"step": n, "loss": 1.0, "eval_a_loss": 1 / n, "eval_b_loss": 2.0, "reward": n} for n in range(1, 5)]
    log.write_bytes(trainer_state(entries))
    judged = json.loads(call("check", log, "--json").stdout)
    assert judged["metrics"]["reward"] == {"points": 4, "first": 1.0, "last": 4.0, "lowest": 1.0, "highest": 4.0}
    assert judged["metrics"]["loss"]["points"] == 4
    assert (judged["eval_set"], judged["eval_sets"], judged["last_eval_loss"]) == ("a", ["a", "b"], 0.25)
    assert any("several sets: a is judged" in note for note in judged["notes"])
    other = json.loads(call("check", log, "--eval-set", "b", "--json").stdout)
    assert (other["eval_set"], other["last_eval_loss"]) == ("b", 2.0)
    text = " ".join(call("check", log).stdout.split())
    assert "eval set a, of a, b" in text
    assert "metrics reward, eval_b_loss" in text


def test_a_log_of_metrics_alone_is_told_with_their_figures(log: Path) -> None:
    log.write_text("".join(json.dumps({"step": n, "reward": n / 4}) + "\n" for n in range(1, 5)))
    result = call("check", log)
    text = " ".join(result.stdout.split())
    assert result.exit_code == 2
    assert "reward 4 points: first 0.2500, last 1.000, lowest 0.2500, highest 1.000" in text
    assert "train loss" not in text


def test_watch_begins_anew_with_another_training(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    end = "{'train_runtime': 9.0, 'epoch': 3.0}\n"
    risen = [f"{{'loss': 1.0, 'epoch': {n}.0}}\n{{'eval_loss': {n}.0, 'epoch': {n}.0}}\n" for n in range(1, 7)]
    fallen = [f"{{'loss': {1 / n}, 'epoch': {n}.0}}\n{{'eval_loss': {1 / n}, 'epoch': {n}.0}}\n" for n in range(1, 4)]
    log.write_text("".join([*risen, end, *fallen, end]))
    result = call("watch", log)
    assert "training 2 begins" in result.stdout
    assert result.exit_code == 0
