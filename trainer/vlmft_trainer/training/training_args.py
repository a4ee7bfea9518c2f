"""Training arguments of transformers, built from the preset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from vlmft_core.plan.shared_memory import look_ahead
from vlmft_core.preset import Preset
from vlmft_trainer.model.load import Kernels
from vlmft_trainer.training.deepspeed_config import deepspeed_config

SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


def training_args(
    preset: Preset, kernels: Kernels, output_dir: Path, warmup_steps: int, trainable: int | None = None
) -> Any:
    """The arguments. Creating them under ZeRO-3 makes `from_pretrained` load the model sharded, so they come first."""
    on_gpu = torch.cuda.is_available()
    training, evaluation = preset.training, preset.evaluation
    return TrainingArguments(
        output_dir=str(output_dir),
        deepspeed=deepspeed_config(preset, kernels.precision, on_gpu, trainable),
        use_cpu=not on_gpu,
        ddp_backend=None if on_gpu else "gloo",
        bf16=kernels.precision == "bf16",
        fp16=kernels.precision == "fp16",
        per_device_train_batch_size=training.micro_batch,
        gradient_accumulation_steps=preset.accumulation,
        num_train_epochs=training.epochs,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULERS[training.scheduler],
        warmup_steps=warmup_steps,
        optim="adamw_torch",
        weight_decay=training.weight_decay,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        adam_epsilon=training.adam_epsilon,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        data_seed=training.seed,
        logging_steps=training.logging_steps,
        logging_first_step=training.logging_first_step,
        logging_nan_inf_filter=training.logging_nan_inf_filter,
        eval_strategy="steps",
        eval_steps=evaluation.eval_steps,
        per_device_eval_batch_size=evaluation.micro_batch,
        save_strategy="steps",
        save_steps=evaluation.eval_steps,
        # The library's limit keeps the newest, not the best, and its loading of the best would also load DeepSpeed's
        # state: both are this project's own.
        save_total_limit=None,
        load_best_model_at_end=False,
        metric_for_best_model=evaluation.metric_for_best_model.removeprefix("eval_"),
        greater_is_better=evaluation.metric_for_best_model != "eval_loss",
        dataloader_num_workers=preset.data.workers,
        dataloader_prefetch_factor=look_ahead(preset.accumulation, preset.data.workers),
        dataloader_persistent_workers=preset.data.workers > 0,
        dataloader_pin_memory=preset.data.pin_memory and on_gpu,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=list(training.report_to) or "none",
        run_name=output_dir.resolve().name,
        log_level="error",
        log_level_replica="error",
    )
