"""Speed: what earlier runs on this machine measured, for the plan of the next one."""

from __future__ import annotations

from itertools import islice
from statistics import median

from vlmft_console.runs.registry import all_runs
from vlmft_core.errors import VlmftError
from vlmft_core.preset import Preset, load_preset
from vlmft_core.run_folder import events
from vlmft_core.run_folder.segments import records

NEWEST_RUNS = 50
"""Earlier runs looked at."""


def measured_speed(preset: Preset) -> tuple[float | None, str]:
    """Samples per second of the newest run on this machine that computes the same, and the run's name in words.

    The median over its steps, evals and start-up not counted; None where there is no such run.
    """
    for folder in islice(all_runs(), NEWEST_RUNS):
        try:
            if _work(load_preset(folder.preset_file).preset) != _work(preset):
                continue
            told = (record for record in records(folder.segments) if record["event"] == events.STEP)
            speeds = [record.get("samples_per_s") for record in told]
        except (VlmftError, OSError):  # a run that cannot be read has nothing to say here
            continue
        measured = [speed for speed in speeds if isinstance(speed, int | float) and speed > 0]
        if measured:
            return median(measured), f"run {folder.name}"
    return None, ""


def _work(preset: Preset) -> object:
    """What decides how long a sample takes."""
    data, training = preset.data, preset.training
    shape = data.max_length, data.max_pixels, training.micro_batch, training.gradient_checkpointing, training.packing
    sources = sorted((source.task, source.path) for source in data.sources)
    return preset.model, preset.lora, preset.hardware, shape, sources
