"""DeepSpeed configuration, built from the preset alone."""

from __future__ import annotations

from typing import Any

from vlmft_core.preset.schema import Preset
from vlmft_trainer.model.load import Precision


def deepspeed_config(preset: Preset, precision: Precision, on_gpu: bool) -> dict[str, Any]:
    """What `deepspeed.initialize` gets.

    The optimizer is not named here: the trainer passes torch's own AdamW, because DeepSpeed's compile on first use
    (a minute, and impossible without a compiler).
    """
    stage, offload = preset.hardware.zero_stage, preset.hardware.offload
    host = {"device": "cpu", "pin_memory": on_gpu}
    offloaded: dict[str, Any] = {}
    if offload != "none":
        offloaded["offload_optimizer"] = host
    if offload == "parameters":
        offloaded["offload_param"] = host
    return {
        "train_batch_size": preset.training.effective_batch,
        "train_micro_batch_size_per_gpu": preset.training.micro_batch,
        "gradient_accumulation_steps": preset.accumulation,
        "gradient_clipping": preset.training.max_grad_norm,
        "bf16": {"enabled": precision == "bf16"},
        "fp16": {"enabled": precision == "fp16"},
        "zero_optimization": {
            "stage": stage,
            "overlap_comm": on_gpu,
            "contiguous_gradients": True,
            # Only the adapter is saved, and gathered on its own.
            "stage3_gather_16bit_weights_on_model_save": False,
            **offloaded,
        },
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 10**9,
    }
