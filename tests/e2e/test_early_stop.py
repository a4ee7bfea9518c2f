"""A real training that overfits is ended by the health rules: two CPU ranks, the tiny model, sixteen samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.launching import Run, launch
from vlmft_core.run_folder.checkpoints import intact, read
from vlmft_trainer.demo.dataset import write

pytestmark = pytest.mark.train

PRESET = """
model: {{base: demo, precision: fp32}}
lora: {{r: 16, alpha: 32, dropout: 0, target_modules: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]}}
data:
  sources:
    - {{task: chartqa, path: {data}/chartqa, train_split: train, eval_split: val}}
  max_train: 16
  max_eval: 16
training: {{epochs: 60, learning_rate: 0.02, scheduler: constant, effective_batch: 8, micro_batch: 4,
  gradient_checkpointing: false}}
evaluation: {{eval_steps: 5, answers: 0, micro_batch: 8}}
hardware: {{device: cpu, gpus: 2, zero_stage: 2}}
monitor: {{early_stop: auto, window: 5}}
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("early")
    write("chartqa", root / "chartqa", samples=48, seed=5)
    return launch(root / "overfit", PRESET.format(data=root), ranks=2)


def test_overfitting_ends_the_run_early_and_says_which_rule_saw_it(stopped: Run) -> None:
    assert stopped.code == 0, stopped.output[-3000:] + stopped.errors[-3000:]
    end, plan = stopped.events("run_end")[0], stopped.events("plan")[0]
    last = stopped.events("step")[-1]["step"]
    found = [record for record in stopped.events("health") if record["severity"] == "stop"]
    assert end["status"] == "early_stopped"
    assert last < plan["total_steps"]
    assert f"at step {last} by {found[0]['rule']}: " in end["reason"]
    assert f"health: {found[0]['rule']} stop: " in stopped.output


def test_it_leaves_a_complete_checkpoint_of_its_last_step_and_the_best_adapter(stopped: Run) -> None:
    end, last = stopped.events("run_end")[0], stopped.events("checkpoint")[-1]
    assert last["step"] == stopped.events("step")[-1]["step"]
    for step in (last["step"], end["best_step"]):
        folder: Path = stopped.folder / f"checkpoint-{step}"
        sealed = read(folder)
        assert sealed is not None
        assert intact(folder, sealed)
    losses = {record["step"]: record["eval_loss"] for record in stopped.events("eval")}
    assert end["best_eval_loss"] == min(losses.values())
    assert losses[last["step"]] > end["best_eval_loss"]
    weights = "adapter_model.safetensors"
    best = stopped.folder / f"checkpoint-{end['best_step']}" / weights
    assert (stopped.folder / "adapter" / weights).read_bytes() == best.read_bytes()
