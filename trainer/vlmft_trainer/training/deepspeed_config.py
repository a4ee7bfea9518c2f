"""DeepSpeed configuration, built from the preset alone."""

from __future__ import annotations

from typing import Any

from vlmft_core.plan.memory import gradient_bucket
from vlmft_core.preset.schema import Preset
from vlmft_trainer.model.load import Precision


def deepspeed_config(
    preset: Preset, precision: Precision, on_gpu: bool, trainable: int | None = None
) -> dict[str, Any]:
    """What `deepspeed.initialize` gets.

    Gradients are reduced in one bucket of an adapter's size: DeepSpeed's own of 500 million numbers, twice where
    communication overlaps with computing, takes 1.9 GiB for 16 MiB of gradients. So few are not worth overlapping;
    under ZeRO-3 the weights that are gathered are.

    The optimizer is not named here: the trainer passes torch's own AdamW, because DeepSpeed's compile on first use
    (a minute, and impossible without a compiler).

    Args:
        trainable: parameters that learn; None where that is not known before the base is there.
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
            "overlap_comm": on_gpu and stage == 3,
            "reduce_bucket_size": gradient_bucket(trainable),
            "allgather_bucket_size": gradient_bucket(trainable),
            "contiguous_gradients": True,
            # Only the adapter is saved, and gathered on its own.
            "stage3_gather_16bit_weights_on_model_save": False,
            **offloaded,
        },
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 10**9,
    }
