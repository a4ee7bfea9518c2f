"""Real trainings under the real DeepSpeed launcher on CPU ranks, with the shipped tiny model and a few steps."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from tests.e2e.launching import Run, launch, training
from vlmft_core.learning_rate import planned_rate, rate_plan
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.run_folder.checkpoints import intact, read
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.scores import read_points
from vlmft_core.scoring.metrics import HEADLINE
from vlmft_trainer.demo.dataset import write

pytestmark = pytest.mark.train

STEPS = 6
LAYOUTS = [(2, 2), (3, 1), pytest.param(2, 1, marks=pytest.mark.soak), pytest.param(3, 2, marks=pytest.mark.soak)]
"""ZeRO stage and number of ranks."""

PRESET = """
model: {{base: demo, precision: fp32}}
lora: {{r: 4, alpha: 8, dropout: 0}}
data:
  sources:
    - {{task: chartqa, path: {data}/chartqa, train_split: train, eval_split: val}}
    - {{task: textvqa, path: {data}/textvqa, train_split: train, eval_split: validation}}
  max_train: 48
  max_eval: 10
training: {{epochs: {epochs}, learning_rate: 0.005, effective_batch: 8, micro_batch: 4, gradient_checkpointing: true}}
evaluation: {{eval_steps: 4, answers: 3, max_new_tokens: 4, micro_batch: 2}}
checkpoints: {{save_total_limit: 1}}
hardware: {{device: cpu, gpus: {ranks}, zero_stage: {zero}}}
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small data in the hub's schemas, and one for the runs."""
    root = tmp_path_factory.mktemp("training")
    write("chartqa", root / "chartqa", samples=48, seed=5)
    write("textvqa", root / "textvqa", samples=48, seed=5)
    return root


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Callable[[int, int], Run]:
    """A finished training by ZeRO stage and number of ranks; each is run once."""

    @cache
    def run(zero: int, ranks: int) -> Run:
        preset = PRESET.format(data=workplace, epochs=1, ranks=ranks, zero=zero)
        return launch(workplace / f"zero{zero}x{ranks}", preset, ranks)

    return run


@pytest.mark.parametrize(("zero", "ranks"), LAYOUTS)
def test_a_training_ends_with_an_adapter_and_a_whole_story(
    trained: Callable[[int, int], Run], zero: int, ranks: int
) -> None:
    run = trained(zero, ranks)
    assert run.code == 0, run.output[-3000:] + run.errors[-3000:]
    kinds = [
        record["event"] for record in run.events() if record["event"] not in ("note", "heartbeat", "health", "host")
    ]
    step, ending = ["step"] * 4, ["step"] * 2
    measured = ["eval", "checkpoint"]
    assert kinds == ["run_start", "plan", "eval", *step, *measured, *ending, *measured, "eval", "run_end"]
    start, plan, end = run.events("run_start")[0], run.events("plan")[0], run.events("run_end")[0]
    assert (start["run_id"], start["world_size"], start["segment"]) == ("the-run", ranks, 1)
    assert (plan["total_steps"], plan["train_samples"], plan["eval_samples"]) == (STEPS, 48, 10)
    assert end["status"] == "finished"
    losses = {record["step"]: record["eval_loss"] for record in run.events("eval") if record["eval_loss"]}
    assert end["best_eval_loss"] == losses[end["best_step"]] == min(losses.values())


@pytest.mark.parametrize(("zero", "ranks"), LAYOUTS[1:])
def test_every_layout_gives_the_same_losses(trained: Callable[[int, int], Run], zero: int, ranks: int) -> None:
    def curve(run: Run) -> list[float]:
        return [record["loss"] for record in run.events("step")] + [
            record["eval_loss"] for record in run.events("eval")[1:]
        ]

    assert curve(trained(zero, ranks)) == pytest.approx(curve(trained(2, 2)), rel=1e-3)


@pytest.mark.parametrize(("zero", "ranks"), LAYOUTS)
def test_the_adapter_is_not_empty_and_was_trained(trained: Callable[[int, int], Run], zero: int, ranks: int) -> None:
    from safetensors.torch import load_file

    weights = load_file(trained(zero, ranks).folder / "adapter" / "adapter_model.safetensors")
    assert len(weights) == 2 * 3 * 4  # A and B of three layers a block
    assert all(weight.numel() and weight.abs().sum() > 0 for weight in weights.values())


@pytest.mark.parametrize(("zero", "ranks"), LAYOUTS)
def test_checkpoints_are_complete_small_and_the_best_and_newest_stay(
    trained: Callable[[int, int], Run], zero: int, ranks: int
) -> None:
    run = trained(zero, ranks)
    last = run.events("checkpoint")[-1]
    found = {int(path.name.rpartition("-")[2]): path for path in run.folder.glob("checkpoint-*")}
    assert sorted(found) == last["kept"]
    assert {STEPS, run.events("run_end")[0]["best_step"]} == set(found)
    for step, path in found.items():
        sealed = read(path)
        assert sealed is not None
        assert sealed.step == step
        assert intact(path, sealed)
        assert (path / "trainer_state.json").is_file()
    # fp32: 12 bytes a parameter of optimizer state, 4 of DeepSpeed's weights, 4 of the adapter; the rest is constant.
    assert last["bytes"] < 20 * run.events("plan")[0]["trainable_params"] + 300_000


def test_the_rate_follows_the_plan(trained: Callable[[int, int], Run]) -> None:
    run = trained(2, 2)
    plan = rate_plan(run.events("plan")[0])
    assert plan is not None
    planned = [planned_rate(plan, step) for step in range(1, STEPS + 1)]
    assert [record["lr"] for record in run.events("step")] == pytest.approx(planned, rel=0.01)


def test_the_published_two_shell_lines_print_sensible_lines(trained: Callable[[int, int], Run]) -> None:
    lines = trained(2, 2).output.splitlines()
    rates = [line for line in lines if "learning_rate" in line]
    assert len(rates) == STEPS
    assert all("'loss'" in line and "'epoch'" in line and "'grad_norm'" in line for line in rates)
    assert sum("'eval_loss'" in line for line in lines) == 2
    assert sum("'train_loss'" in line for line in lines) == 1
    assert "Traceback" not in trained(2, 2).errors


def test_plain_peft_reproduces_the_recorded_accuracy(trained: Callable[[int, int], Run]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    from vlmft_core.preset import load_sft_config
    from vlmft_trainer.data.run_data import prepare
    from vlmft_trainer.model.evaluate import answer_tasks
    from vlmft_trainer.model.load import load_encoder

    run = trained(2, 2)
    preset = load_sft_config(run.folder.with_suffix(".yaml")).preset
    data = prepare(preset.data, load_encoder(str(DEMO_BASE), preset.data.max_pixels))
    base = AutoModelForImageTextToText.from_pretrained(DEMO_BASE)
    assert answer_tasks(base, data.eval, preset.evaluation) == run.events("eval")[0]["tasks"]
    tuned = PeftModel.from_pretrained(base, run.folder / "adapter")
    assert answer_tasks(tuned, data.eval, preset.evaluation) == run.events("eval")[-1]["tasks"]


def test_what_every_answer_was_worth_is_kept_and_held_against_the_base(trained: Callable[[int, int], Run]) -> None:
    run = trained(2, 2)
    first, *_, last = run.events("eval")
    kept = read_points(RunLayout(run.folder).scores_file)
    for task, scores in last["tasks"].items():
        headline = HEADLINE[task]
        assert fmean(kept[0, task].values()) == pytest.approx(first["tasks"][task][headline])
        assert fmean(kept[last["step"], task].values()) == pytest.approx(scores[headline])
        gain = scores[headline] - first["tasks"][task][headline]
        assert last["against_base"][task]["questions"] == scores["n"]
        assert last["against_base"][task]["gain"] == pytest.approx(gain)


def test_a_stop_request_ends_all_ranks_with_a_checkpoint_and_an_adapter(workplace: Path) -> None:
    folder = workplace / "stopped"
    preset = PRESET.format(data=workplace, epochs=500, ranks=2, zero=2).replace("eval_steps: 4", "eval_steps: 1000")
    line, environment = training(folder, preset, 2)
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for said in child.stdout:
            if "'loss'" in said:
                (folder / "stop.json").write_text("{}")
                break
        rest = child.stdout.read()
    run = Run(folder, child.returncode, rest, "")
    assert run.code == 0, rest[-3000:]
    end, saved = run.events()[-1], run.events("checkpoint")
    assert (end["event"], end["status"], end["best_step"]) == ("run_end", "stopped", None)
    assert len(saved) == 1
    assert saved[0]["eval_loss"] is None
    assert saved[0]["step"] == run.events("step")[-1]["step"] < 1000
    assert read(folder / f"checkpoint-{saved[0]['step']}") is not None
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()


def test_a_mistake_found_late_ends_all_ranks_with_one_line_and_exit_2(workplace: Path) -> None:
    preset = PRESET.format(data=workplace, epochs=1, ranks=2, zero=2).replace("eval_split: val}", "eval_split: dev}")
    run = launch(workplace / "mistaken", preset, 2)
    assert run.code == 2
    said = [line for line in run.errors.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert f"{workplace}/chartqa, split dev" in said[0]
    assert "Traceback" not in run.output + run.errors
    end = run.events()[-1]
    assert (end["event"], end["status"]) == ("run_end", "failed")
    assert "split dev" in json.dumps(end)


@pytest.mark.parametrize("zero", [pytest.param(2, marks=pytest.mark.soak), 3])
def test_a_training_goes_on_from_the_adapter_of_another(
    trained: Callable[[int, int], Run], workplace: Path, zero: int
) -> None:
    first = trained(3, 1)
    preset = PRESET.format(data=workplace, epochs=1, ranks=1, zero=zero)
    preset = preset.replace("dropout: 0}", f"dropout: 0, start_from: {first.folder}}}")
    run = launch(workplace / f"further{zero}", preset, 1)
    assert run.code == 0, run.output[-3000:] + run.errors[-3000:]
    assert run.events("eval")[0]["tasks"] == first.events("eval")[0]["tasks"]  # the base's, without the adapter
    assert run.events("step")[0]["loss"] < 0.95 * first.events("step")[0]["loss"]
    assert any("training goes on from the adapter" in record["message"] for record in run.events("note"))
    assert "- begun from the adapter" in (run.folder / "adapter" / "README.md").read_text()
