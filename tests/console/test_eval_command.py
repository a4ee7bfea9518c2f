"""`vlmft eval`: what is asked, what is shown, and how it ends."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.console.trained_models import Asked, write_adapter, write_run
from vlmft_console.cli import app
from vlmft_console.programs.ask import Broken, Cancel, Cancelled, ask
from vlmft_console.programs.trained import find_trained
from vlmft_core.errors import DataError, VlmftError
from vlmft_core.jobs import MergeJob
from vlmft_core.preset import Preset

SCORES = {
    "chartqa": {
        "base": {"relaxed_accuracy": 0.39, "human": 0.5, "augmented": 0.28, "n": 200},
        "tuned": {"relaxed_accuracy": 0.885, "human": 0.9, "augmented": 0.87, "n": 200},
        "against_base": {"questions": 200, "gain": 0.495, "better": 101, "worse": 2, "p": 1e-20},
    },
    "textvqa": {"base": {"accuracy": 0.45, "n": 200}, "tuned": {"accuracy": 1.0, "n": 200}},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(("note", "loading demo"), ("scores", SCORES)).put(monkeypatch)


def evaluate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", *arguments], env={"COLUMNS": "120"})


def test_a_run_is_asked_what_its_training_asked(here: Path, asked: Asked) -> None:
    run = write_run(here / "outputs")
    assert evaluate("mine").exit_code == 0
    job = asked.job
    assert (job.adapter, job.limit, job.task) == (str(run / "adapter"), 7, None)
    assert job.preset.data.max_eval == 2000
    assert Path(job.folder).parent == run / "evals"
    assert asked.processes == 2


def test_base_and_adapter_stand_side_by_side_with_what_its_preset_expects(here: Path, asked: Asked) -> None:
    write_run(here / "outputs")
    shown = evaluate("mine").stdout.splitlines()
    assert " ".join(shown[0].split()) == "asked base tuned change expected"
    assert (
        " ".join(shown[1].split())
        == "chartqa relaxed accuracy 200 39.0 % [32.5, 45.9] 88.5 % [83.3, 92.2] +49.5 65 to 70 %"
    )
    assert " ".join(shown[2].split()) == "augmented 28.0 % 87.0 % +59.0"
    assert " ".join(shown[4].split()) == "textvqa accuracy 200 45.0 % [38.3, 51.9] 100.0 % [98.2, 100.0] +55.0"
    assert "chartqa: tuned better on 101, worse on 2, p < 0.001" in shown


def test_json_has_the_same_figures(here: Path, asked: Asked) -> None:
    write_run(here / "outputs")
    found = json.loads(evaluate("mine", "--json").stdout)
    assert found["tasks"]["chartqa"]["tuned"]["relaxed_accuracy"] == 0.885
    assert found["tasks"]["chartqa"]["tuned"]["low"] == pytest.approx(0.8333, abs=1e-4)
    assert found["tasks"]["chartqa"]["base"]["high"] == pytest.approx(0.4591, abs=1e-4)
    assert found["tasks"]["chartqa"]["against_base"]["better"] == 101
    assert found["tasks"]["chartqa"]["expected"] == [65, 70]
    assert found["tasks"]["textvqa"]["expected"] is None
    assert found["base"] == "demo"


def test_the_published_figure_stands_beside_the_7b(here: Path, asked: Asked) -> None:
    asked.answers = (("scores", {"chartqa": {"base": SCORES["chartqa"]["base"]}}),)
    shown = evaluate("Qwen/Qwen2.5-VL-7B-Instruct", "--set=hardware.device=cpu", "--task=chartqa")
    assert shown.exit_code == 0, shown.output
    assert "published base" in shown.stdout
    assert "87.3 %" in shown.stdout
    assert "tuned" not in shown.stdout
    assert asked.job.adapter is None
    assert asked.job.limit is asked.job.preset.data.max_eval is None
    assert [source.task for source in asked.job.preset.data.sources] == ["chartqa"]


def test_other_questions_are_asked_when_told_so(here: Path, asked: Asked) -> None:
    write_run(here / "outputs")
    assert evaluate("mine", "--split=test", "--limit=0", "--gpus=1", "--output=out").exit_code == 0
    assert {source.eval_split for source in asked.job.preset.data.sources} == {"test"}
    assert (asked.job.limit, asked.job.preset.data.max_eval, asked.processes) == (None, None, 1)
    assert asked.job.folder == str(here / "out")
    assert evaluate("mine", "--task=textvqa", "--limit=3").exit_code == 0
    assert (asked.job.task, asked.job.limit, len(asked.job.preset.data.sources)) == ("textvqa", 3, 2)


def test_the_same_command_means_the_same_folder_and_another_adapter_another(here: Path, asked: Asked) -> None:
    run = write_run(here / "outputs")
    evaluate("mine")
    first = asked.job.folder
    evaluate("mine")
    assert asked.job.folder == first
    evaluate("mine", "--limit=3")
    assert asked.job.folder != first
    write_adapter(run / "adapter", seed=2)  # trained further
    evaluate("mine")
    assert asked.job.folder != first


def test_an_adapter_without_its_run_names_its_base(here: Path, asked: Asked) -> None:
    adapter = write_adapter(here / "copied")
    assert evaluate(str(adapter)).exit_code == 0
    assert asked.job.preset.model.base == "demo"
    assert Path(asked.job.folder).parent == here / "outputs" / "evals"
    checkpoint = write_adapter(write_run(here / "outputs") / "checkpoint-8")
    assert evaluate(str(checkpoint)).exit_code == 0
    assert (asked.job.adapter, asked.job.limit) == (str(checkpoint), 7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no run is called 'nothing'"),
        (
            ["mine", "--task=llava"],
            "--task llava: the preset has no such task or source (it has chartqa, demo, textvqa)",
        ),
        (["mine", "--set=evaluation.answer=1"], "unknown key"),
        (["mine", "--preset=none"], "none"),
        (["odd"], "names no base model"),
        (["empty"], "has left no adapter"),
        (["Qwen/Qwen2.5-VL-7B-Instruct"], "1 GPU asked for, 0 found"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    here: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_run(here / "outputs")
    write_adapter(here / "odd", base=None)
    (write_run(here / "outputs", "empty") / "adapter" / "adapter_config.json").unlink()
    done = evaluate(*arguments)
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("vlmft: ")
    assert said in lines[0]
    assert asked.job is None


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("no such split"), 2, "vlmft: no such split"),
        (Broken("CUDA out of memory"), 1, "it broke: CUDA out of memory"),
        (KeyboardInterrupt(), 130, "what was answered is kept"),
    ],
)
def test_each_end_has_its_line_and_its_exit_status(
    here: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    Asked(error=error).put(monkeypatch)
    write_run(here / "outputs")
    done = evaluate("mine")
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_progress_is_a_line_for_each_side_and_its_end_where_nobody_watches(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [("base", 1), ("base", 2), ("base", 3), ("tuned", 1), ("tuned", 3)]
    steps = [("progress", {"task": "chartqa", "side": side, "done": done, "total": 3}) for side, done in told]
    Asked(*steps, ("note", "done"), ("scores", SCORES)).put(monkeypatch)
    write_run(here / "outputs")
    assert evaluate("mine").stderr.splitlines()[1:] == [
        *(f"chartqa, {side}: {done} of 3 questions answered" for side in ("base", "tuned") for done in (1, 3)),
        "note: done",
    ]


def program(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, cancel: Cancel | None = None
) -> list[tuple[str, Any]]:
    """What stand-ins for the trainer's programs answer to a job."""
    (folder / "standin_program.py").write_text("import json, os, sys\n" + text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr("vlmft_console.programs.ask.PROGRAMS", "standin_program")
    with (folder / "errors").open("w+b") as errors:
        return list(ask("merge", MergeJob(preset=Preset(), folder="x"), errors, cancel=cancel))


def test_a_program_gets_the_job_and_its_answers_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "name, job = sys.argv[1], json.loads(sys.argv[2]); print(json.dumps({name: job['folder']}))\n"
    text += "print('noise', file=sys.stderr)"
    assert program(tmp_path, monkeypatch, text) == [("merge", "x")]


def test_what_a_program_calls_a_mistake_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VlmftError, match="no such model"):
        program(tmp_path, monkeypatch, "print(json.dumps({'error': 'no such model'})); sys.exit(2)")


def test_a_program_that_breaks_is_told_by_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Broken, match="ValueError: too hot"):
        program(tmp_path, monkeypatch, "raise ValueError('too hot')")


def test_a_program_that_is_killed_in_the_middle_of_a_line_is_told_by_what_killed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "print('{\"sco', end='', flush=True); print('loading weights', file=sys.stderr); os.kill(os.getpid(), 9)"
    with pytest.raises(Broken, match="it was killed by SIGKILL"):
        program(tmp_path, monkeypatch, text)


def test_an_interrupted_program_is_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        program(tmp_path, monkeypatch, "sys.exit(130)")


@pytest.mark.parametrize(("ends", "cancelled"), [("sys.exit(0)", False), ("os.kill(os.getpid(), 15)", True)])
def test_a_program_that_was_done_before_it_could_be_cancelled_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str, cancelled: bool
) -> None:
    cancel = Cancel()
    monkeypatch.setattr("subprocess.Popen.terminate", lambda run: None)  # which comes too late
    cancel()
    text = f"print(json.dumps({{'merged': 1}})); sys.stdout.flush(); {ends}"
    with pytest.raises(Cancelled) if cancelled else nullcontext():
        assert program(tmp_path, monkeypatch, text, cancel) == [("merged", 1)]


def test_a_merged_model_of_the_demo_is_asked_on_a_cpu(tmp_path: Path) -> None:
    from shutil import copytree

    from vlmft_core.plan.architecture import DEMO_BASE

    copytree(DEMO_BASE, tmp_path / "merged")
    assert find_trained(str(tmp_path / "merged"), None, []).preset.hardware.device == "cpu"
