"""RoPE precision: looked at once DeepSpeed has the model."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from vlmft_trainer.model.soundness import refuse_rounded_rope


class RopePrecision(TrainerCallback):  # type: ignore[misc]
    """Ends a training before its first step where the engine has rounded the model's positions."""

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        refuse_rounded_rope(model)
