"""Speed: what earlier runs on this machine measured, for the plan of the next one."""

from __future__ import annotations

from array import array
from itertools import islice
from statistics import median

from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.registry import all_runs
from vlmft_core.errors import VlmftError
from vlmft_core.plan.gpus import Gpu
from vlmft_core.preset import Preset, load_preset
from vlmft_core.run_folder import events
from vlmft_core.run_folder.segments import records

NEWEST_RUNS = 50
"""Earlier runs looked at."""


def measured_speed(preset: Preset, gpu: Gpu | None = None) -> tuple[float | None, str]:
    """Samples per second of the newest run on this machine that computes the same, and the run's name in words.

    The median over its steps, evals and start-up not counted; None where there is no such run.

    Args:
        gpu: this machine's; a run that says it had others does not count.
    """
    for folder in islice(all_runs(), NEWEST_RUNS):
        try:
            if work_of(load_preset(folder.preset_file).preset) != work_of(preset):
                continue
            if measured := _measured(folder, gpu):
                return median(measured), f"run {folder.name}"
        except (VlmftError, OSError):  # a run that cannot be read has nothing to say here
            continue
    return None, ""


def _measured(folder: RunFolder, gpu: Gpu | None) -> array[float]:
    """The speed of each step of a run; of one that says it had other GPUs, none."""
    found = array("d")
    for record in records(folder.segments):
        if record["event"] == events.PLAN:
            name = record.get("gpu")
            if gpu and name and (not isinstance(name, str) or name.removeprefix("NVIDIA ") != gpu.name):
                return array("d")
        elif record["event"] == events.STEP:
            speed = record.get("samples_per_s")
            if isinstance(speed, int | float) and speed > 0:
                found.append(speed)
    return found


def work_of(preset: Preset) -> object:
    """What decides how long a sample takes, as a value that is equal, and reads alike, where that is."""
    data, training = preset.data, preset.training
    recomputed = training.gradient_checkpointing, training.recompute_every
    rows = training.packing, training.share_images
    shape = data.max_length, data.max_pixels, training.micro_batch, recomputed, rows
    sources = sorted((source.task, source.path) for source in data.sources)
    hardware = preset.hardware.model_dump(exclude={"timeout_minutes"})
    return preset.model, preset.lora, hardware, shape, sources
