"""Fused kernels in a loaded Qwen2.5-VL: its small modules get a forward that uses `kernels`.

Small modules, not whole layers: they are the same whatever adapter, attention, DeepSpeed's hooks or activation
checkpointing do around them, and each finds its own weight gathered when ZeRO-3 calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as Adapted
from torch.nn.functional import linear, silu
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as theirs

from vlmft_core.errors import first_line
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.kernels import Tensors, add_product, dropout_seed, dropped_product, norm, rotate, swiglu

ROWS = 1024
"""Tokens that kernels are tried out on: about those of a micro-batch, because the compiler tunes for what it first
sees."""


def use_fused_kernels(model: Any) -> None:
    """Let a Qwen2.5-VL, bare or with an adapter, compute with fused kernels. Modules and weights stay as they are, and
    other models in this process too."""
    rotations = {"apply_rotary_pos_emb": _rotate_text, "apply_rotary_pos_emb_vision": rotate}
    for module in model.modules():
        if isinstance(module, theirs.Qwen2_5_VLRMSNorm):
            module.forward = MethodType(_norm_forward, module)
        elif isinstance(module, theirs.Qwen2MLP | theirs.Qwen2_5_VLMLP) and "SiLU" in type(module.act_fn).__name__:
            module.forward = MethodType(_mlp_forward, module)
        elif isinstance(module, theirs.Qwen2_5_VLAttention | theirs.Qwen2_5_VLVisionAttention):
            module.forward = MethodType(_with_names(type(module).forward, rotations), module)
        elif isinstance(module, theirs.Qwen2_5_VisionPatchEmbed):
            module.proj.forward = MethodType(_patches_forward, module.proj)
        elif type(module) is Adapted:
            module.forward = MethodType(_adapted_forward, module)
            for first in module.lora_A.values():
                first.forward = MethodType(_first_forward, first)
            for second in module.lora_B.values():
                second.forward = MethodType(_second_forward, second)


def _with_names(function: Any, names: dict[str, Any]) -> Any:
    """The same function, but some names of its file mean something else: attention calls the rotation by name."""
    function = inspect.unwrap(function)
    known = function.__globals__ | names
    changed = FunctionType(function.__code__, known, function.__name__, function.__defaults__, function.__closure__)
    changed.__kwdefaults__ = function.__kwdefaults__
    return changed


def _norm_forward(self: Any, x: torch.Tensor) -> torch.Tensor:
    """In place of `Qwen2_5_VLRMSNorm`'s: any shape with the width last."""
    return norm(x.reshape(-1, x.shape[-1]), self.weight, self.variance_epsilon).view(x.shape)


def _mlp_forward(self: Any, x: torch.Tensor) -> torch.Tensor:
    """In place of `Qwen2MLP`'s and the tower's `Qwen2_5_VLMLP`'s: any shape with the width last."""
    rows = x.reshape(-1, x.shape[-1])
    output: torch.Tensor = self.down_proj(swiglu(self.gate_proj(rows), self.up_proj(rows)))
    return output.view(x.shape)


def _rotate_text(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> Tensors:
    """In place of `apply_rotary_pos_emb`: `[batch, heads, length, width]`, cos and sin `[batch, length, width]`."""
    batch, _, length, width = query.shape
    query, key = (tensor.transpose(1, 2).reshape(batch * length, -1, width) for tensor in (query, key))
    turned = rotate(query, key, cos.reshape(-1, width), sin.reshape(-1, width))
    return tuple(tensor.view(batch, length, -1, width).transpose(1, 2) for tensor in turned)


def _patches_forward(self: Any, patches: torch.Tensor) -> torch.Tensor:
    """In place of the patch embedding's `Conv3d`'s, whose kernel covers a whole patch: a product of matrices.

    `[patches, channels, frames, height, width]` in, `[patches, embedding]` out.
    """
    return linear(patches.flatten(1), self.weight.flatten(1), self.bias)


def _adapted_forward(self: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """In place of PEFT's `Linear`'s: scales the narrow product instead of the wide one, and adds where it lies.

    For one plain LoRA adapter in the number format of its input; PEFT does all else.
    """
    name, *others = self.active_adapters or [""]
    if (
        (args or kwargs or others or self.disable_adapters or self.merged)
        or name not in self.lora_A
        or name in self.lora_variant  # DoRA and its like
        or self.lora_B[name].bias is not None
        or type(self.base_layer) is not torch.nn.Linear  # held in 4 bits
        or x.dtype != self.lora_A[name].weight.dtype
    ):
        return type(self).forward(self, x, *args, **kwargs)
    rows = x.reshape(-1, x.shape[-1])
    module = self.lora_dropout[name]
    p = module.p if module.training and isinstance(module, torch.nn.Dropout) else 0.0
    narrow = self.lora_A[name](rows, p) * self.scaling[name]
    return self.lora_B[name](narrow, self.base_layer(rows)).view(*x.shape[:-1], -1)


def _first_forward(self: Any, x: torch.Tensor, p: float = 0.0) -> torch.Tensor:
    """In place of `lora_A`'s: with dropout of `x`, if `p` is not 0."""
    if p == 0:
        return linear(x, self.weight)
    return dropped_product(x, self.weight, p, dropout_seed())


def _second_forward(self: Any, narrow: torch.Tensor, base: torch.Tensor | None = None) -> torch.Tensor:
    """In place of `lora_B`'s: adds to `base` if there is one."""
    if base is None:
        return linear(narrow, self.weight, self.bias)
    if base.dtype == narrow.dtype == self.weight.dtype:
        return add_product(base, narrow, self.weight)
    return base + linear(narrow, self.weight)  # under autocast


@torch.enable_grad()
def fused_problem(model: Any) -> str:
    """Why fused kernels cannot be used for this model on this rank's device; empty if they can.

    All are compiled and tried out, with their gradients, in the model's widths and number format: no figure of a
    training would show that one is wrong.
    """
    dtype = next(model.parameters()).dtype
    tolerance = 1e-5 if dtype == torch.float32 else 2**-6
    try:
        for name, ours, theirs, inputs in _trials(model.config, dtype):
            pairs = zip(_results(ours, inputs), _results(theirs, inputs), strict=True)
            if not all(bool((one - other).abs().max() <= tolerance * other.abs().max()) for one, other in pairs):
                return f"{name} gives other results than eager PyTorch"
    except Exception as error:  # a compiler fails in many ways
        return first_line(error)
    return ""


def _trials(config: Any, dtype: torch.dtype) -> Iterator[tuple[str, Callable[..., Any], Callable[..., Any], Tensors]]:
    """Of each kernel in each of its widths: a name, what is used, transformers' own, and what to give to both."""
    device = ranks.device()
    made = torch.Generator(device).manual_seed(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=device, generator=made).to(dtype)

    for part in (config.text_config, config.vision_config):
        epsilon = getattr(part, "rms_norm_eps", 1e-6)  # the tower's configuration does not state its own
        module = SimpleNamespace(weight=some(part.hidden_size), variance_epsilon=epsilon)
        pair = partial(_norm_forward, module), partial(theirs.Qwen2_5_VLRMSNorm.forward, module)
        yield "the norm", *pair, (some(ROWS, part.hidden_size),)
        wide = some(ROWS, part.intermediate_size), some(ROWS, part.intermediate_size)
        yield "the gated MLP", swiglu, lambda gate, up: silu(gate) * up, wide

    text, vision = config.text_config, config.vision_config
    width = text.hidden_size // text.num_attention_heads
    angles = torch.randn(1, ROWS, width // 2, device=device, generator=made).repeat(1, 1, 2)
    waves = {"cos": angles.cos().to(dtype), "sin": angles.sin().to(dtype)}
    heads = tuple(some(1, ROWS, n, width).transpose(1, 2) for n in (text.num_attention_heads, text.num_key_value_heads))
    yield "the rotation", partial(_rotate_text, **waves), partial(theirs.apply_rotary_pos_emb, **waves), heads

    width = vision.hidden_size // vision.num_heads
    angles = torch.randn(ROWS, width // 2, device=device, generator=made).repeat(1, 2)
    waves = {"cos": angles.cos(), "sin": angles.sin()}
    heads = tuple(some(ROWS, 3, vision.num_heads, width)[:, place] for place in (0, 1))
    own = partial(theirs.apply_rotary_pos_emb_vision, **waves)
    yield "the vision tower's rotation", partial(rotate, **waves), own, heads


def _results(function: Callable[..., Any], inputs: Tensors) -> list[torch.Tensor]:
    """Outputs and gradients, in fp32."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    outputs = function(*leaves)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    probes = [torch.linspace(-1, 1, one.numel(), device=one.device).to(one.dtype).view(one.shape) for one in outputs]
    return [one.detach().float() for one in (*outputs, *torch.autograd.grad(outputs, leaves, probes))]
