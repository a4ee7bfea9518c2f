"""`vlmft checkpoints` and `vlmft adapter`: what a run has saved is listed, named by RUN@STEP, and made its adapter."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.console.trained_models import Asked
from tests.saved_run import saved_run
from vlmft_console.cli import app
from vlmft_console.commands.completion import checkpoint_names
from vlmft_console.runs.checkpoint_adapter import adapter_step, chosen_by_hand
from vlmft_console.runs.locks import acquire
from vlmft_core.run_folder.checkpoints import MARKER, read

pytestmark = pytest.mark.usefixtures("here")


def vlmft(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=typed)


def listed(name: str = "mine") -> dict[int, dict[str, object]]:
    return {one["step"]: one for one in json.loads(vlmft("checkpoints", name, "--json").stdout)["checkpoints"]}


def test_every_checkpoint_is_listed_with_what_it_measured_and_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_run(tmp_path / "outputs")
    monkeypatch.setenv("COLUMNS", "120")
    lines = vlmft("checkpoints", "mine").stdout.splitlines()
    assert lines[0].split() == ["step", "epoch", "eval", "loss", "token", "acc.", "chartqa", "size"]
    assert "20    2.00   0.2000     90.0 %      90.0 % [76.9, 96.0]" in lines[2]
    assert lines[2].rstrip().endswith("best, adapter, kept")
    assert lines[1].rstrip().endswith("kept")
    assert "best 2 by eval loss" in lines[4]
    assert lines[4].endswith("They lie in outputs/mine")


def test_in_a_narrow_terminal_no_figure_is_broken(tmp_path: Path) -> None:
    saved_run(tmp_path / "outputs")
    lines = vlmft("checkpoints", "mine").stdout.splitlines()
    assert "20    2.00   0.2000     90.0 % [76.9, 96.0]" in lines[2]
    assert "token acc." not in lines[0]


def test_json_has_the_figures_unrounded(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    found = listed()
    assert (found[30]["eval_loss"], found[30]["epoch"], found[30]["complete"]) == (0.3, 3.0, True)
    assert found[30]["tasks"]["chartqa"]["accuracy"] == 0.8  # type: ignore[index]
    assert [step for step, one in found.items() if one["best"]] == [20]
    assert [step for step, one in found.items() if one["adapter"]] == [20]
    size = sum(file.stat().st_size for file in run.checkpoint(10).iterdir() if file.name != MARKER)
    assert found[10]["bytes"] == size


def test_of_a_run_that_can_go_on_it_says_which_checkpoints_make_room(tmp_path: Path) -> None:
    saved_run(tmp_path / "outputs", status="stopped")
    assert {step: one["fate"] for step, one in listed().items()} == {
        10: "goes next",
        20: "kept",
        30: "goes if beaten",
    }


def test_an_unfinished_checkpoint_is_listed_as_such_and_refused(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    (run.checkpoint(30) / MARKER).unlink()
    assert (listed()[30]["complete"], listed()[30]["fate"]) == (False, "not complete")
    for command in (["adapter"], ["eval"], ["merge"], ["predict"]):
        refused = vlmft(*command, "mine@30", *(["?"] if command == ["predict"] else []))
        assert refused.exit_code == 2
        assert "checkpoint-30 of mine is not complete (complete ones are of step 10, 20)" in refused.stderr


def test_what_vlmft_eval_found_counts_where_it_asked_more_of_the_same_data(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    log = run.events_file().read_text()
    run.events_file().write_text(log.replace('"event": "plan"', '"event": "plan", "eval_data": "mine"'))
    weights = [read(run.checkpoint(step)).files["adapter_model.safetensors"]["sha256"] for step in (10, 20, 30)]  # type: ignore[union-attr]
    for name, adapter, samples, share, questions in (
        ("more", weights[0], "mine", 0.75, 400),
        ("fewer", weights[1], "mine", 0.1, 10),
        ("others", weights[2], "other data", 0.2, 900),
        ("whose", "0" * 64, "mine", 0.3, 900),
    ):
        folder = run.evals / name
        folder.mkdir(parents=True)
        (folder / "eval.json").write_text(json.dumps({"adapter": adapter, "samples": samples}))
        tuned = {"relaxed_accuracy": share, "n": questions}
        (folder / "scores.json").write_text(json.dumps({"chartqa": {"base": {}, "tuned": tuned}}))
    (run.evals / "unfinished").mkdir()
    (run.evals / "broken").mkdir()
    (run.evals / "broken" / "eval.json").write_text("[")
    said = vlmft("checkpoints", "mine").stdout
    assert "chartqa: 40 questions, but 400 at step 10\n" in said
    found = {step: one["tasks"]["chartqa"] for step, one in listed().items()}  # type: ignore[index]
    assert [(found[step]["accuracy"], found[step]["questions"]) for step in (10, 20, 30)] == [
        (0.75, 400),
        (0.9, 40),
        (0.8, 40),
    ]


def test_rotated_ones_are_named(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    shutil.rmtree(run.checkpoint(10))
    assert "kept; gone: step 10" in vlmft("checkpoints", "mine").stdout
    for step in (20, 30):
        shutil.rmtree(run.checkpoint(step))
    assert "mine has no checkpoints any more" in vlmft("checkpoints", "mine").stdout


def test_the_adapter_of_a_checkpoint_becomes_the_runs_with_its_own_card_and_a_record(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    done = vlmft("adapter", "mine@10", "--yes")
    assert done.exit_code == 0, done.output
    assert adapter_step(run) == 10
    card = (run.adapter / "README.md").read_text()
    assert "this is the adapter of step 10" in card
    assert "| chartqa relaxed_accuracy | 0.2500 | 0.5000 | 40 |" in card
    record = chosen_by_hand(run)[-1]
    assert (record["step"], record["before"], record["by"]) == (10, 20, "vlmft adapter")
    assert "the adapter of step 10 was made the run's, by vlmft adapter" in vlmft("checkpoints", "mine").stdout
    assert sorted(path.name for path in run.path.iterdir() if "adapter" in path.name) == ["adapter"]


def test_the_card_says_of_how_many_questions_where_base_and_adapter_were_asked_differently(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    log = run.events_file().read_text()
    run.events_file().write_text(log.replace('"relaxed_accuracy": 0.25, "n": 40', '"relaxed_accuracy": 0.25, "n": 200'))
    assert vlmft("adapter", "mine@10", "--yes").exit_code == 0
    assert "| 0.2500 | 0.5000 | 200 and 40 |" in (run.adapter / "README.md").read_text()


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_nothing_is_replaced_unless_the_person_says_yes(tmp_path: Path, typed: str) -> None:
    run = saved_run(tmp_path / "outputs")
    refused = vlmft("adapter", "mine@10", typed=typed)
    assert refused.exit_code == 1
    assert "that of step 20: replace" in refused.output
    assert adapter_step(run) == 20
    assert not run.adapters_file.exists()


def test_a_run_without_an_adapter_gets_one_unasked(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs", adapter_of=None, status="stopped")
    assert vlmft("adapter", "mine@30").exit_code == 0
    assert adapter_step(run) == 30


def test_a_copy_elsewhere_leaves_the_run_alone_and_takes_no_place_that_is_taken(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    assert vlmft("adapter", "mine@10", "-o", "copied").exit_code == 0
    weights = "adapter_model.safetensors"
    assert (tmp_path / "copied" / weights).read_bytes() == (run.checkpoint(10) / weights).read_bytes()
    assert adapter_step(run) == 20
    again = vlmft("adapter", "mine@20", "-o", "copied")
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "exists already" in again.stderr


def test_a_folder_that_is_called_as_the_draft_of_a_copy_stays(tmp_path: Path) -> None:
    saved_run(tmp_path / "outputs")
    (tmp_path / ".copied.tmp").mkdir()
    (tmp_path / ".copied.tmp" / "mine").touch()
    refused = vlmft("adapter", "mine@10", "-o", str(tmp_path / "copied"))
    assert refused.exit_code == 2
    assert (tmp_path / ".copied.tmp" / "mine").exists()
    assert not (tmp_path / "copied").exists()


def test_a_live_runs_adapter_is_not_replaced(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs", adapter_of=None)
    run.exit_file.unlink()
    lock = acquire(run.lock)
    assert lock is not None
    try:
        refused = vlmft("adapter", "mine@10", "--yes")
        assert refused.exit_code == 75
        assert "-o" in refused.stderr
        assert not run.adapter.exists()
        assert vlmft("adapter", "mine@10", "-o", "copied").exit_code == 0
    finally:
        os.close(lock)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    file = run.checkpoint(10) / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    refused = vlmft("adapter", "mine@10", "--yes")
    assert refused.exit_code == 2
    assert "not what was written" in refused.stderr
    assert adapter_step(run) == 20


@pytest.mark.parametrize("target", ["mine", "mine@", "mine@x", "@5"])
def test_what_names_no_checkpoint_is_one_line_and_exit_2(tmp_path: Path, target: str) -> None:
    saved_run(tmp_path / "outputs")
    refused = vlmft("adapter", target)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "RUN@STEP" in refused.stderr


def test_eval_and_merge_take_a_checkpoint_by_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved_run(tmp_path / "outputs")
    asked = Asked(("merged", {"folder": "/m", "bytes": 1})).put(monkeypatch)
    assert vlmft("merge", "mine@10").exit_code == 0
    assert (asked.job.adapter, asked.job.folder) == (str(run.checkpoint(10)), str(run.path / "merged-10"))
    asked = Asked(("scores", {})).put(monkeypatch)
    assert vlmft("eval", "mine@30").exit_code == 0
    assert asked.job.adapter == str(run.checkpoint(30))
    assert Path(asked.job.folder).name.startswith("checkpoint-30-")


def test_tab_completes_the_steps_of_a_run(tmp_path: Path) -> None:
    saved_run(tmp_path / "outputs")
    assert checkpoint_names("mi") == ["mine"]
    assert checkpoint_names("mine@") == ["mine@30", "mine@20", "mine@10"]
    assert checkpoint_names("mine@2") == ["mine@20"]


def test_a_record_with_strange_lines_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "outputs")
    run.adapters_file.write_text('{"step": 1}\n[]\nnot json\n{"t": 5, "step": 3, "by": "\\u001b[2J"}\n')
    assert [record["step"] for record in chosen_by_hand(run)] == [3]
    with run.adapters_file.open("a") as file:
        file.write('{"t": 6, "st')  # torn by a kill
    vlmft("adapter", "mine@20")
    assert [record["step"] for record in chosen_by_hand(run)] == [3, 20]
    assert "\x1b" not in vlmft("checkpoints", "mine").stdout
