"""Option names of the published recipe's JSON, transformers' older ones, and what they are here."""

from __future__ import annotations

import re

DIRECT = {
    "num_train_epochs": "training.epochs",
    "learning_rate": "training.learning_rate",
    "warmup_ratio": "training.warmup_ratio",
    "weight_decay": "training.weight_decay",
    "adam_beta1": "training.adam_beta1",
    "adam_beta2": "training.adam_beta2",
    "adam_epsilon": "training.adam_epsilon",
    "max_grad_norm": "training.max_grad_norm",
    "per_device_train_batch_size": "training.micro_batch",
    "gradient_checkpointing": "training.gradient_checkpointing",
    "seed": "training.seed",
    "logging_steps": "training.logging_steps",
    "logging_first_step": "training.logging_first_step",
    "logging_nan_inf_filter": "training.logging_nan_inf_filter",
    "eval_steps": "evaluation.eval_steps",
    "per_device_eval_batch_size": "evaluation.micro_batch",
    "save_total_limit": "checkpoints.save_total_limit",
    "load_best_model_at_end": "checkpoints.load_best_model_at_end",
    "dataloader_num_workers": "data.workers",
    "dataloader_pin_memory": "data.pin_memory",
}
"""Options whose value carries over as it is."""

CORE = {
    "num_train_epochs": "training.epochs",
    "learning_rate": "training.learning_rate",
    "lr_scheduler_type": "training.scheduler",
    "warmup_ratio": "training.warmup_ratio",
    "weight_decay": "training.weight_decay",
    "save_total_limit": "checkpoints.save_total_limit",
    "load_best_model_at_end": "checkpoints.load_best_model_at_end",
}
"""Options whose absence is worth a note, and what they set: the result depends on them, and other trainers have other
defaults."""

SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant_with_warmup": "constant"}
METRICS = {
    "eval_loss": "eval_loss",
    "loss": "eval_loss",
    "eval_token_accuracy": "token_accuracy",
    "token_accuracy": "token_accuracy",
}

DECIDED = {
    "output_dir": "the run folder is chosen at launch",
    "overwrite_output_dir": "a run folder is never overwritten",
    "run_name": "runs are named at launch",
    "report_to": "vlmft writes its own event log",
    "logging_dir": "logs go into the run folder",
    "logging_strategy": "vlmft logs by steps",
    "remove_unused_columns": "vlmft keeps the columns it needs",
    "prediction_loss_only": "vlmft computes loss and token accuracy",
    "save_safetensors": "vlmft saves safetensors only",
    "save_only_model": "checkpoints hold all that a resume needs",
    "do_train": "vlmft trains and evaluates",
    "do_eval": "vlmft trains and evaluates",
    "disable_tqdm": "vlmft has its own progress display",
    "log_level": "vlmft has its own log",
    "deepspeed": "vlmft writes its own DeepSpeed configuration (hardware.zero_stage)",
    "gradient_checkpointing_kwargs": "vlmft chooses how it recomputes",
    "ddp_find_unused_parameters": "DeepSpeed does not use it",
    "ddp_timeout": "vlmft watches for silence itself",
    "local_rank": "the launcher sets it",
    "tf32": "vlmft leaves it as PyTorch sets it",
    "dataloader_drop_last": "a last partial batch is trained on too",
    "push_to_hub": "vlmft uploads nothing",
    "label_names": "vlmft knows its labels",
}
"""Harmless options that vlmft settles itself, and how."""


def is_recipe(text: str) -> bool:
    """Whether a file is the published recipe's JSON, with comments or without, and no preset written as JSON."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "//")):
        return False
    keys = set(re.findall(r'"(\w+)"\s*:', text))
    options = DIRECT.keys() | CORE.keys() | DECIDED.keys() | {"bf16", "fp16", "max_steps", "optim", "eval_strategy"}
    return not keys & _SECTIONS and bool(keys & options)


_SECTIONS = frozenset({key.partition(".")[0] for key in (*DIRECT.values(), *CORE.values())}) | {
    *("about", "extends", "hardware", "lora", "model", "monitor", "reasons")
}
"""What a preset has at its top."""
