"""The training loop in one process: every supervised token weighs the same, and the log tells the truth."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainingArguments

from vlmft_core.errors import VlmftError
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.shared_memory import look_ahead
from vlmft_core.preset import Lora, Preset
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.data.collate import collate, pad_collator
from vlmft_trainer.data.encode import Encoded
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, load_base, prepare_training
from vlmft_trainer.training.callbacks.eval_events import EvalEvents
from vlmft_trainer.training.callbacks.step_events import StepEvents
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest
from vlmft_trainer.training.checkpoint_manager import CheckpointManager
from vlmft_trainer.training.odd_steps import OddSteps
from vlmft_trainer.training.options import Job
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.train import train
from vlmft_trainer.training.weighted_trainer import WeightedTrainer

STEPS = 6
BATCH = 8


def trainer(
    samples: Samples, folder: Path, *, micro: int = 8, packed: bool = False, **arguments: Any
) -> WeightedTrainer:
    """Two epochs of three steps with 8 samples each, logging to `folder/events.jsonl`, without DeepSpeed."""
    folder.mkdir(exist_ok=True)
    log = RunLog(EventWriter(folder / "events.jsonl"))
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())), Lora(r=4, alpha=8, dropout=0), seed=1)
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    encoder = samples.encoder
    stop = StopOnRequest(RunLayout(folder))
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": 8,
        "gradient_accumulation_steps": BATCH // micro,
        "num_train_epochs": 2,
        "learning_rate": 5e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 2,
        "optim": "adamw_torch",
        "data_seed": 7,
        "logging_steps": 1,
        "eval_strategy": "steps",
        "eval_steps": 3,
        "save_strategy": "no",
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "report_to": "none",
    }
    result = WeightedTrainer(
        model=model,
        args=TrainingArguments(**values | arguments),
        train_dataset=samples,
        eval_dataset=samples,
        data_collator=pack_collator(encoder) if packed else pad_collator(encoder),
        packed=packed,
        checkpoints=CheckpointManager(RunLayout(folder), None, "eval_loss", log, {}),
        stop=stop.asked,
        callbacks=[EvalEvents(log), stop],
    )
    order = result.get_train_dataloader().micro_batches
    result.add_callback(StepEvents(result, log, odd=OddSteps(order, samples, log)))
    return result


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [record for record in records if record["event"] == kind]


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def test_splitting_the_effective_batch_changes_nothing(samples: Samples, tmp_path: Path) -> None:
    curves = {}
    for micro in (8, 1):
        folder = tmp_path / str(micro)
        trainer(samples, folder, micro=micro).train()
        steps = events(folder, "step")
        assert [step["step"] for step in steps] == list(range(1, STEPS + 1))
        curves[micro] = [step["loss"] for step in steps] + [step["grad_norm"] for step in steps]
    assert curves[1] == pytest.approx(curves[8], rel=1e-4)


def test_packed_and_padded_training_follow_one_curve(samples: Samples, tmp_path: Path) -> None:
    sizes = [samples[index].length for index in range(len(samples))]
    assert len(set(sizes)) > 1
    known = Samples(samples.splits, samples.places, samples.encoder, sizes)
    curves, tokens = [], []
    for micro, packed in ((8, False), (8, True), (2, True), (2, False)):
        folder = tmp_path / f"{micro}-{packed}"
        trainer(known, folder, micro=micro, packed=packed).train()
        steps = events(folder, "step")
        curves.append([step[name] for step in steps for name in ("loss", "grad_norm", "supervised_tokens")])
        curves[-1] += [record["eval_loss"] for record in events(folder, "eval")]
        tokens.append(steps[0]["tokens_per_s"] * steps[0]["step_s"])
    for curve in curves[1:]:
        assert curve == pytest.approx(curves[0], rel=1e-4)
    assert tokens == pytest.approx([tokens[0]] * 4)


def test_data_workers_that_look_ahead_change_no_figure(samples: Samples, tmp_path: Path) -> None:
    curves = []
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        options = {"dataloader_num_workers": workers, "dataloader_persistent_workers": workers > 0}
        ahead = look_ahead(4, workers)
        trainer(samples, folder, micro=2, packed=True, dataloader_prefetch_factor=ahead, **options).train()
        curves.append([step["loss"] for step in events(folder, "step")])
    assert curves[0] == curves[1]


def test_a_smaller_last_effective_batch_does_not_depend_on_how_it_is_split(samples: Samples, tmp_path: Path) -> None:
    few = Samples(samples.splits, samples.places[:11], samples.encoder)
    curves = []
    for micro in (8, 2):
        folder = tmp_path / str(micro)
        trainer(few, folder, micro=micro, packed=True).train()
        steps = events(folder, "step")
        assert len(steps) == 4
        curves.append([step[name] for step in steps for name in ("loss", "grad_norm")])
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)


def test_the_first_loss_is_the_mean_over_the_effective_batchs_tokens(samples: Samples, tmp_path: Path) -> None:
    few = Samples(samples.splits, samples.places[8:16], samples.encoder)
    trainer(few, tmp_path, micro=2, num_train_epochs=1).train()
    base = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())).train()
    encoder = samples.encoder
    batch = collate([few[index] for index in range(8)], pad_id=encoder.pad_id, image_id=encoder.image_id)
    with torch.no_grad():
        expected = float(base(**model_inputs(base, batch), labels=batch["labels"]).loss)
    step = events(tmp_path, "step")[0]
    assert step["loss"] == pytest.approx(expected, rel=1e-4)
    assert step["supervised_tokens"] == int((batch["labels"] != -100).sum())


def test_the_logged_rate_is_the_plans_and_the_one_the_step_used(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = trainer(samples, tmp_path)
    used = []
    original = WeightedTrainer.training_step

    def training_step(self: WeightedTrainer, *args: Any) -> torch.Tensor:
        used.append(self.optimizer.param_groups[0]["lr"])
        return original(self, *args)

    monkeypatch.setattr(WeightedTrainer, "training_step", training_step)
    mine.train()
    logged = [step["lr"] for step in events(tmp_path, "step")]
    planned = [planned_rate(RatePlan(STEPS, 2, 5e-3, "cosine"), step) for step in range(1, STEPS + 1)]
    assert logged == pytest.approx(used)
    assert logged == pytest.approx(planned, rel=0.01)


def test_the_same_seed_gives_the_same_training(samples: Samples, tmp_path: Path) -> None:
    losses = []
    for name in ("one", "two"):
        trainer(samples, tmp_path / name).train()
        losses.append([step["loss"] for step in events(tmp_path / name, "step")])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("packed", [False, True])
def test_the_rows_of_a_step_that_is_not_finite_are_named_and_those_that_made_it_so(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    encoded = [samples[index] for index in range(len(samples))]
    known = Samples(samples.splits, samples.places, samples.encoder, [one.length for one in encoded])
    mine = trainer(known, tmp_path, micro=1, packed=packed, num_train_epochs=1)
    told_by = [(one.input_ids, int(one.pixel_values.long().sum())) for one in encoded]  # type: ignore[union-attr]
    original = WeightedTrainer.compute_loss
    trained: dict[int, list[int]] = {}

    def compute_loss(self: WeightedTrainer, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = original(self, model, inputs, *args, **kwargs)
        seen = told_by.index((inputs["input_ids"][0].tolist(), int(inputs["pixel_values"].long().sum())))
        trained.setdefault(self.state.global_step + 1, []).append(seen)
        return loss * float("nan") if seen == 17 else loss

    monkeypatch.setattr(WeightedTrainer, "compute_loss", compute_loss)
    mine.train()
    first = events(tmp_path, "rows")[0]
    step = next(step for step, indices in trained.items() if 17 in indices)
    assert (first["step"], first["of"], first["why"]) == (step, 8, "the loss is not finite")
    assert sorted(first["rows"]) == sorted(samples.where(index) for index in trained[step])
    assert first["suspects"] == [samples.where(17)]


def test_a_loss_that_is_not_finite_is_reported_though_the_plain_log_filters_it(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = trainer(samples, tmp_path, micro=4, num_train_epochs=1)
    original = WeightedTrainer.compute_loss

    def compute_loss(self: WeightedTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = original(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 1 else loss

    monkeypatch.setattr(WeightedTrainer, "compute_loss", compute_loss)
    mine.train()
    steps = events(tmp_path, "step")
    assert [step["loss"] is None for step in steps] == [False, True, True]
    assert "loss" in steps[1]["nonfinite"]
    assert "nonfinite" not in steps[0]
    filtered = [entry["loss"] for entry in mine.state.log_history if "loss" in entry]
    assert filtered[1] == filtered[1]


def test_step_events_cover_all_steps_since_the_last_one(samples: Samples, tmp_path: Path) -> None:
    trainer(samples, tmp_path, logging_steps=3, logging_first_step=True).train()
    steps = events(tmp_path, "step")
    assert [step["step"] for step in steps] == [1, 3, 6]
    everything = sum(int((torch.tensor(samples[index].labels) != -100).sum()) for index in range(len(samples)))
    assert sum(step["supervised_tokens"] for step in steps) == 2 * everything
    for step in steps:
        assert 0 < step["data_s"] < step["step_s"]
        assert step["samples_per_s"] == pytest.approx(BATCH / step["step_s"])
        assert step["tokens_per_s"] > 0
        assert step["mfu"] is None  # this machine's peak is not known


def test_each_epoch_of_a_training_has_an_order_of_its_own(samples: Samples, tmp_path: Path) -> None:
    one, seen = trainer(samples, tmp_path, micro=8, eval_strategy="no"), list[tuple[int, ...]]()
    join = one.data_collator

    def spied(batch: list[Encoded]) -> dict[str, Any]:
        seen.extend(tuple(sample.input_ids) for sample in batch)
        return join(batch)  # type: ignore[no-any-return]

    one.data_collator = spied
    one.train()
    first, second = seen[: len(samples)], seen[len(samples) :]
    assert (
        Counter(first) == Counter(second) == Counter(tuple(samples[index].input_ids) for index in range(len(samples)))
    )
    assert first != second


def test_evals_come_as_planned_and_after_the_last_step(samples: Samples, tmp_path: Path) -> None:
    trainer(samples, tmp_path, eval_steps=4).train()
    evals = events(tmp_path, "eval")
    assert [record["step"] for record in evals] == [4, 6]
    assert all(record["samples"] == len(samples) and record["eval_loss"] > 0 for record in evals)


def test_a_stop_during_an_eval_leaves_no_figures_and_ends_training(samples: Samples, tmp_path: Path) -> None:
    mine = trainer(samples, tmp_path)
    calls = []
    mine.stop = lambda: calls.append(1) is None
    mine.train()
    assert mine.state.global_step == 3
    assert events(tmp_path, "eval") == []
    assert len(calls) == 1


def test_a_preset_for_gpus_is_refused_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(VlmftError, match=r"has no GPU \(set it to cpu"):
        train(Job(Preset(), tmp_path, ()), RunLog(None), None)
