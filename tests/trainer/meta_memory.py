"""Memory of a training step of the real sizes, measured without memory: tensors of the meta device have shapes only.

Every storage is followed from its first use to its end, as the CUDA allocator would hold it, in blocks of 512 bytes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as theirs

from vlmft_core.plan.activations import Batch
from vlmft_core.plan.architecture import Architecture
from vlmft_core.preset import Lora
from vlmft_trainer.model import attention, kernels
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.fused import use_fused_kernels
from vlmft_trainer.model.load import prepare_training
from vlmft_trainer.model.loss import _last_layer

BLOCK = 512
"""Bytes that the CUDA allocator rounds up to."""
ANSWER = 4
"""Supervised tokens of a sample."""


@dataclass(frozen=True)
class Measured:
    """Bytes beside the weights."""

    kept: int
    """At the end of the forward."""
    peak: int
    """At any time of forward and backward."""

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.kept + other.kept, self.peak + other.peak)

    def times(self, factor: int) -> Measured:
        return Measured(factor * self.kept, factor * self.peak)


class Meter(TorchDispatchMode):
    """Follows the storages of all tensors that operations give."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen: dict[int, Any] = {}

    def follow(self, *values: Any) -> None:
        """Count the storages of new tensors, until they are gone."""
        for value in tree_leaves(values):
            if isinstance(value, torch.Tensor) and value.untyped_storage()._cdata not in self._seen:
                storage = value.untyped_storage()
                key, size = storage._cdata, -(-storage.nbytes() // BLOCK) * BLOCK
                self._seen[key] = weakref.ref(storage, lambda _, key=key, size=size: self._forget(key, size))
                self.live += size
                self.peak = max(self.peak, self.live)

    def _forget(self, key: int, size: int) -> None:
        if self._seen.pop(key, None) is not None:
            self.live -= size

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        self.follow(output)
        return output


@dataclass(frozen=True)
class Step:
    """A training step to be measured: packed, with fused kernels, through the variable-length kernel, in bf16."""

    base: Architecture
    lora: Lora
    fused: bool = True

    def model(self) -> Any:
        """The model with its adapter, on the meta device."""
        base = self.base
        text = {
            "hidden_size": base.hidden,
            "intermediate_size": base.intermediate,
            "num_hidden_layers": base.layers,
            "num_attention_heads": base.heads,
            "num_key_value_heads": base.kv_heads,
            "vocab_size": base.vocab,
            "tie_word_embeddings": base.tied,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        }
        vision = {
            "depth": base.vision_depth,
            "hidden_size": base.vision_hidden,
            "intermediate_size": base.vision_intermediate,
            "out_hidden_size": base.hidden,
            "fullatt_block_indexes": [base.vision_depth - 1],
        }
        config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=base.tied)
        config._attn_implementation = "sdpa"
        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.device("meta"):
                model = Qwen2_5_VLForConditionalGeneration(config)
        finally:
            torch.set_default_dtype(torch.float32)
        attention.use_packed_attention(model)
        model.requires_grad_(False)
        model = add_adapter(model, self.lora, seed=0)
        if self.fused:
            use_fused_kernels(model)
        return model.train()

    def measure(self, batch: Batch, every: int) -> Measured:
        """Forward and backward of one micro-batch."""
        model = self.model()
        prepare_training(
            model, gradient_checkpointing=every > 0, train_vision=self.lora.vision_tower, every=max(every, 1)
        )
        inner = model.get_base_model().model
        tower, patches, windows = inner.visual, batch.patches, -(-batch.patches // self.base.vision_window)

        def features(pixel_values: torch.Tensor, image_grid_thw: torch.Tensor, **_: Any) -> Any:
            result = tower(
                pixel_values,
                image_grid_thw,
                position_ids=_meta(patches, 2, dtype=torch.long),
                cu_seqlens=_meta(batch.samples + 1, dtype=torch.int32),
                max_seqlen=patches // batch.samples,
                window_index=_meta(patches // self.base.merge, dtype=torch.long),
                cu_window_seqlens=_meta(windows + 1, dtype=torch.int32),
                max_window_seqlen=self.base.vision_window,
            )
            result.pooler_output = (result.pooler_output,)
            return result

        inner.get_image_features = features
        last = inner.language_model.layers[-1]
        last.forward = MethodType(_last_layer, last)
        row = {
            "input_ids": _meta(1, batch.tokens, dtype=torch.long),
            "position_ids": _meta(4, 1, batch.tokens, dtype=torch.long),
            "cu_seq_lens_q": _meta(batch.samples + 1, dtype=torch.int32),
            "cu_seq_lens_k": _meta(batch.samples + 1, dtype=torch.int32),
            "max_length_q": batch.longest,
            "max_length_k": batch.longest,
            "pixel_values": _meta(patches, self.base.patch_inputs, dtype=torch.bfloat16),
            "image_grid_thw": _meta(batch.samples, 3, dtype=torch.long),
        }
        answers = ANSWER * batch.samples
        meter = Meter()
        meter.follow(*model.parameters())
        weights = meter.live
        with meter:
            _kernels_meter.append(meter)
            logits = model(**row, supervised=torch.arange(answers, device="meta"), use_cache=False).logits
            kept = meter.live
            labels = _meta(answers, dtype=torch.long)
            torch.nn.functional.cross_entropy(logits[0].float(), labels, reduction="sum").backward()
            _kernels_meter.pop()
        return Measured(kept - weights, meter.peak - weights)


_kernels_meter: list[Meter] = []


def _meta(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")


def as_on_a_gpu(patch: pytest.MonkeyPatch) -> None:
    """Let what looks at values, or at the device, do on the meta device as on a GPU."""

    def compiled(self: Any, *inputs: Any) -> Any:
        """What a compiled kernel gives, without what the formula has in between."""
        given = [value.detach() if isinstance(value, torch.Tensor) else value for value in inputs]
        with _disable_current_modes():
            outputs = self.formula(*given)
        for meter in _kernels_meter:
            meter.follow(outputs)
        return outputs

    def dropout(x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        """A GPU keeps a byte a number of what was dropped, a CPU a number."""
        return torch.native_dropout(x, p, True)[0] if training and p else x

    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731
    patch.setattr(attention, "varlen_attention", attention._by_kernel)
    patch.setattr(kernels.Compiled, "__call__", compiled)
    patch.setattr(torch.nn.modules.dropout.F, "dropout", dropout)
    patch.setattr(theirs, "create_causal_mask", nothing)
    patch.setattr(theirs, "torch_compilable_check", nothing)
