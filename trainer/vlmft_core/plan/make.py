"""Plan: every figure to see before a training starts, and where the published recipe's claims do not hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any

from vlmft_core.errors import DataError
from vlmft_core.figures import counted, gib
from vlmft_core.plan.activations import KEPT
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.base_folder import find_architecture
from vlmft_core.plan.cautions import cautions
from vlmft_core.plan.fit import memory_problem, unusable, ways_to_fit
from vlmft_core.plan.gpus import Gpu, asked_gpu
from vlmft_core.plan.memory import Memory, choose_every, gpu_memory, least_every, weight_bytes
from vlmft_core.plan.own_sizes import with_own_sizes
from vlmft_core.plan.planned import Plan
from vlmft_core.plan.sample_count import available
from vlmft_core.plan.starting_adapter import starting_adapter
from vlmft_core.plan.step_work import sharing_note
from vlmft_core.plan.steps import optimizer_steps, warmup_steps, with_gpus
from vlmft_core.plan.time import Duration, estimate_hours, recipe_hours
from vlmft_core.preset.schema import Preset

LOG_BYTES_PER_STEP = 2_000
"""Bytes of event log and plain log for each step, generously."""
USUAL_GPU = asked_gpu("A100")
"""What is planned for where no GPU is known: the one of the published recipe's table."""


def make_plan(
    preset: Preset,
    *,
    gpus: int | None = None,
    samples: int | None = None,
    gpu: Gpu | None = None,
    samples_per_s: float | None = None,
    measured_in: str = "earlier runs",
    inherited: Collection[str] = (),
) -> Plan:
    """Work out the plan of a preset.

    Args:
        preset: the preset.
        gpus: plan for this many GPUs, the effective batch kept.
        samples: training samples there are, where the preset's sources have an unknown or other size.
        gpu: what it will run on; None plans for `USUAL_GPU`, and says so.
        samples_per_s: measured speed of the training steps on this hardware, for the time.
        measured_in: where that was measured, in words.
        inherited: keys that another preset said and that this one only takes over, such as `data.max_train`.

    Raises:
        PresetError: the effective batch does not fit the GPUs.
        ModelError: a base model on this machine is missing or not whole, a target module matches nothing, or the
            adapter to start from does not fit.
        DataError: there are no training samples.
    """
    note = ""
    if gpus is not None:
        preset, note = with_gpus(preset, gpus)
    check_base(preset.model.base)
    base = find_architecture(preset.model.base)
    trainable = base.lora_parameters(preset.lora) if base else None
    start = starting_adapter(preset.lora, preset.model.base)
    there = available(preset.data.sources, "train") if samples is None else samples
    if there is not None and there < 1:
        raise DataError(
            f"there are {there} training samples: of a source with one sample and no eval split, it is held out",
            "at least one is needed beside those that are evaluated on",
        )
    used = _capped(there, preset.data.max_train)
    device = None if preset.hardware.device == "cpu" else gpu or USUAL_GPU
    sized = with_own_sizes(preset)
    every, memory = _memory(sized, base, trainable, device)
    time = Duration(None, "unknown, as the number of samples is")
    if used is not None:
        time = estimate_hours(
            preset, base, used, gpu=device, every=every or KEPT, samples_per_s=samples_per_s, measured_in=measured_in
        )
    steps = _steps(preset, used)
    plan = Plan(
        samples=used,
        eval_samples=_capped(available(preset.data.sources, "eval"), preset.data.max_eval),
        gpus=preset.hardware.gpus,
        effective_batch=preset.training.effective_batch,
        micro_batch=preset.training.micro_batch,
        accumulation=preset.accumulation,
        epochs=preset.training.epochs,
        **steps,
        trainable_params=trainable,
        total_params=base.total_parameters if base else None,
        **_disk(preset, trainable, steps["evals"], steps["total_steps"]),
        gpu=device.name if device else None,
        gpu_bytes=device.memory if device else None,
        gpu_memory_bytes=memory.total if memory else None,
        memory=asdict(memory) if memory else None,
        recomputed_every=every,
        fits=memory.total <= device.memory if memory and device else None,
        ways_to_fit=(),
        hours=time.hours,
        hours_source=time.source,
        sample_flops=time.sample_flops,
    )
    notes = [note] if note else []
    if start:
        notes += [
            f"training goes on from the adapter {start.folder} ({counted(len(start.names), 'tensor')})",
            *start.notes,
        ]
    if used is None:
        notes.append("the size of the training data is unknown: pass --samples")
    elif recipe := recipe_hours(preset, base, used):
        notes.append(recipe)
    if gpu is None and device:
        notes.append(f"memory and time are for {device.name}, as no GPU was found here: --gpu plans for another")
    if sized is not preset and memory:
        notes.append(f"images have limits of their own, up to {sized.data.max_pixels:,} pixels: memory is for those")
    warnings = cautions(preset, plan, there, inherited)
    if base and trainable is not None and device:
        if problem := memory_problem(sized, base, trainable, device):
            plan = replace(plan, ways_to_fit=tuple(ways_to_fit(sized, base, trainable, device)))
            warnings.insert(0, "; ".join((f"memory does not suffice: a GPU {problem}", *plan.ways_to_fit)))
        elif preset.training.gradient_checkpointing == "auto" and every != KEPT:
            size = gpu_memory(sized, base, trainable, KEPT).total
            notes.append(f"to recompute nothing would take {gib(size)} GiB of the GPU's {gib(device.memory)}")
    if trouble := unusable(preset.model, device):
        warnings.insert(0, trouble)
    if base and every is not None and (saving := sharing_note(preset, base, every)):
        notes.append(saving)
    if base is None:
        notes.append(f"the size of {preset.model.base} is not known offline: parameters, disk and memory are unknown")
    return replace(plan, notes=tuple(notes), warnings=tuple(warnings))


def _steps(preset: Preset, used: int | None) -> dict[str, Any]:
    """The plan's steps and evals, all None where the number of samples is unknown."""
    per_epoch = total = warmup = evals = rate = None
    if used is not None:
        per_epoch, total = optimizer_steps(used, preset.training.effective_batch, preset.training.epochs)
        warmup = warmup_steps(total, preset.training.warmup_ratio)
        evals = -(-total // preset.evaluation.eval_steps)
        rate = per_epoch / preset.evaluation.eval_steps
    return {
        "steps_per_epoch": per_epoch,
        "total_steps": total,
        "warmup_steps": warmup,
        "evals": evals,
        "evals_per_epoch": rate,
    }


def _disk(preset: Preset, trainable: int | None, evals: int | None, steps: int | None) -> dict[str, Any]:
    """The plan's bytes of adapter, checkpoints and all together, None where they are unknown."""
    limit = preset.checkpoints.save_total_limit
    kept = evals if limit is None else limit + 1 if evals is None else min(limit + 1, evals)
    adapter = checkpoint = disk = None
    if trainable is not None:
        number, copies = weight_bytes(preset), 1 if preset.hardware.zero_stage == 3 else 2
        adapter, checkpoint = number * trainable, (12 + number * copies) * trainable
        if kept is not None:
            disk = kept * checkpoint + adapter + LOG_BYTES_PER_STEP * (steps or 0)
    return {"adapter_bytes": adapter, "checkpoint_bytes": checkpoint, "checkpoints_kept": kept, "disk_bytes": disk}


def _memory(
    preset: Preset, base: Architecture | None, trainable: int | None, gpu: Gpu | None
) -> tuple[int | None, Memory | None]:
    """Which layers are recomputed, and the memory that it takes; None where the base's size is not known."""
    if base is None or trainable is None:
        return None, None
    if gpu:
        every = choose_every(preset, base, trainable, gpu.memory)
    else:  # a CPU has memory enough for what it can train
        every = KEPT if preset.training.gradient_checkpointing == "auto" else least_every(preset)
    return every, gpu_memory(preset, base, trainable, every)


def _capped(there: int | None, most: int | None) -> int | None:
    return there if there is None or most is None else min(there, most)
