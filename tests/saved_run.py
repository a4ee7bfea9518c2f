"""A run that trained and saved, for tests: log, checkpoints with adapters of the demo's base, and its own adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import records
from tests.core import weights
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.preset import dump_preset, load_preset
from vlmft_core.run_folder.checkpoints import seal
from vlmft_core.run_folder.events import Record

LOSSES = {10: 0.5, 20: 0.2, 30: 0.3}
"""Eval loss by step."""
RIGHT = {10: 0.5, 20: 0.9, 30: 0.8}
"""Share of right answers by step, of 40 questions."""
PRESET = """
model: {base: demo}
data: {sources: [{task: chartqa, path: demo, eval_split: val}]}
training: {effective_batch: 8, epochs: 3}
checkpoints: {save_total_limit: 2}
evaluation: {answers: 40}
hardware: {device: cpu, gpus: 1}
"""


def saved_run(root: Path, name: str = "mine", *, status: str = "finished", adapter_of: int | None = 20) -> RunFolder:
    """A run of 30 steps with a checkpoint every ten.

    Args:
        root: where its folder is made.
        name: the folder's name.
        status: how it ended.
        adapter_of: the step whose weights its adapter has; None for a run without one.
    """
    folder = RunFolder.create(root, name)
    folder.write_run(preset_name="mine", preset_text=PRESET, command=Command(("true",), {}))
    preset = load_preset(folder.preset_file).preset
    folder.preset_file.write_text(dump_preset(preset))
    records.write_log(folder.events_file(), _records(preset.model_dump(mode="json")))
    for step, loss in LOSSES.items():
        weights.write_adapter(folder.checkpoint(step), seed=step, base_model_name_or_path="demo")
        (folder.checkpoint(step) / "rng_state.pth").write_bytes(b"state")
        seal(folder.checkpoint(step), step, loss, 0.9, {})
    if adapter_of is not None:
        weights.write_adapter(folder.adapter, seed=adapter_of, base_model_name_or_path="demo")
    folder.exit_file.write_text(json.dumps({"status": status, "reason": "", "exit_code": 0}))
    return folder


def _records(preset: dict[str, Any]) -> list[Record]:
    made = [records.run_start() | {"preset": preset}, records.plan(30, steps_per_epoch=10)]
    made.append(records.evaluated(0, None, tasks={"chartqa": {"relaxed_accuracy": 0.25, "n": 40}}))
    for step in range(1, 31):
        made.append(records.step(step, 2 / step, epoch=step / 10))
        if loss := LOSSES.get(step):
            tasks = {"chartqa": {"relaxed_accuracy": RIGHT[step], "n": 40}}
            made.append(records.evaluated(step, loss, epoch=step / 10, tasks=tasks))
            made.append(
                records.record("checkpoint", step=step, path=f"checkpoint-{step}", eval_loss=loss, bytes=9, kept=[step])
            )
    return [record | {"seq": number} for number, record in enumerate(made)]
