"""Fused kernels: chains of elementwise operations as one kernel each: one pass over memory instead of five to ten.

torch.compile makes them of the formulas here: Triton on a GPU, C++ on a CPU. Gradients are formulas too, so that
nothing is kept for the backward pass that it can work out again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, silu

Tensors = tuple[torch.Tensor, ...]

FEW = 32
"""Rows below which eager PyTorch is used, such as the tokens of a generation: calling a compiled kernel takes longer
than their work. Sizes of 0 and 1 would also be compiled apart."""


def norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Root mean square normalisation (Zhang and Sennrich 2019) of `[rows, width]`, times `weight`."""
    output: torch.Tensor = _Norm.apply(x, weight, epsilon)  # type: ignore[no-untyped-call]
    return output


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """silu(gate) · up (Shazeer 2020) of `[rows, width]` each."""
    output: torch.Tensor = _SwiGLU.apply(gate, up)  # type: ignore[no-untyped-call]
    return output


def rotate(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> Tensors:
    """Rotary positions (Su et al. 2021): the halves of each head are the coordinates of `width / 2` points.

    Args:
        query: `[rows, heads, width]`; key the same with its own number of heads.
        cos: of the angles, `[rows, width]`, the second half the same as the first; sin likewise.

    Returns:
        Both, rotated, in their own number formats.
    """
    turned: Tensors = _Rotation.apply(query, key, cos, sin)  # type: ignore[no-untyped-call]
    return turned


def add_product(base: torch.Tensor, narrow: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`base` + `narrow` · `weight`ᵀ, written over `base`, which nobody may need any more.

    Args:
        base: `[rows, width]`.
        narrow: `[rows, rank]`.
        weight: `[width, rank]`.
    """
    output: torch.Tensor = _AddedProduct.apply(base, narrow, weight)  # type: ignore[no-untyped-call]
    return output


def dropped_product(x: torch.Tensor, weight: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """Dropout (Srivastava et al. 2014, scaled while training) of `x`, times `weight`ᵀ.

    For the backward pass it keeps `x`, which others keep too, and not what dropout left of it, nor the mask: that
    follows from `seed`, and is drawn again.

    Args:
        x: `[rows, width]`.
        weight: `[rank, width]`.
        p: the share of `x` that is dropped, above 0 and below 1.
        seed: another one at each call, such as `dropout_seed` draws.
    """
    output: torch.Tensor = _DroppedProduct.apply(x, weight, p, seed)  # type: ignore[no-untyped-call]
    return output


def dropout_seed() -> int:
    """A seed from PyTorch's random numbers on the CPU: checkpoints keep their state, activation checkpointing goes back
    to it, and reading one waits for no GPU."""
    return int(torch.randint(2**63 - 1, (), device="cpu"))


def dropout_mask(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """Which numbers of `x` are kept, each with the probability 1 - `p`: bool, of its shape."""
    # Of tensors without data only sizes are asked.
    made = torch.Generator("cpu" if x.is_meta else x.device).manual_seed(seed)
    return torch.empty(x.shape, dtype=torch.bool, device=x.device).bernoulli_(1 - p, generator=made)


masked = torch.ops.aten.native_dropout_backward
"""Numbers, a mask and a factor: their product, in one pass on a GPU. It is named for where PyTorch needs it."""


class Compiled:
    """A formula over rows, compiled when it is first called with a width and a number format.

    Any number of rows does without compiling anew: packed rows differ in length at each micro-batch.

    Args:
        formula: takes and gives tensors whose first dimension is the rows; vectors have none.
    """

    def __init__(self, formula: Callable[..., Any]) -> None:
        self.formula = formula

    @cached_property
    def compiled(self) -> Callable[..., Any]:
        return torch.compile(self.formula, dynamic=False)

    def __call__(self, *inputs: Any) -> Any:
        if inputs[0].shape[0] < FEW:
            return self.formula(*inputs)
        # Detached: else there would be one kernel for each combination of tensors that require gradients.
        given = [value.detach() if isinstance(value, torch.Tensor) else value for value in inputs]
        for value in given:
            if isinstance(value, torch.Tensor) and value.ndim > 1:
                torch._dynamo.maybe_mark_dynamic(value, 0)
        return self.compiled(*given)


@Compiled
def _norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> Tensors:
    """The output, and the factor of each row in fp32."""
    wide = x.float()
    factor = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
    return weight * (wide * factor).to(x.dtype), factor


@Compiled
def _norm_gradient(gradient: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """For `x`: with n = x · factor and g = gradient · weight it is factor · (g - n · mean(g · n))."""
    normed, weighted = x.float() * factor, gradient.float() * weight.float()
    return (factor * (weighted - normed * (weighted * normed).mean(-1, keepdim=True))).to(x.dtype)


class _Norm(Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> Any:
        output, factor = _norm(x, weight, epsilon)
        ctx.save_for_backward(x, weight, factor)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, weight, factor = ctx.saved_tensors
        wanted, trained, _ = ctx.needs_input_grad
        return (
            _norm_gradient(gradient, x, weight, factor) if wanted else None,
            # Not compiled: with an adapter norms are frozen.
            (gradient.float() * x.float() * factor).sum(0).to(weight.dtype) if trained else None,
            None,
        )


@Compiled
def _swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return silu(gate) * up


@Compiled
def _swiglu_gradients(gradient: torch.Tensor, gate: torch.Tensor, up: torch.Tensor) -> Tensors:
    """For gate and up: silu(x) = x · s with s = sigmoid(x), and its derivative s · (1 + x · (1 - s))."""
    g, x = gradient.float(), gate.float()
    s = torch.sigmoid(x)
    return (g * up.float() * s * (1 + x * (1 - s))).to(gate.dtype), (g * x * s).to(up.dtype)


class _SwiGLU(Function):
    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> Any:
        ctx.save_for_backward(gate, up)
        return _swiglu(gate, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return _swiglu_gradients(gradient, *ctx.saved_tensors)


@Compiled
def _rotate(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> Tensors:
    return _turned(query, cos, sin), _turned(key, cos, sin)


@Compiled
def _rotate_back(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> Tensors:
    """The gradients: a rotation's transpose is the rotation by the opposite angle."""
    return _turned(query, cos, -sin), _turned(key, cos, -sin)


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return (x * cos[:, None] + torch.cat((-second, first), -1) * sin[:, None]).to(x.dtype)


class _Rotation(Function):
    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> Any:
        ctx.save_for_backward(cos, sin)
        return _rotate(query, key, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, query: torch.Tensor, key: torch.Tensor) -> Any:
        return (*_rotate_back(query, key, *ctx.saved_tensors), None, None)


class _AddedProduct(Function):
    """One product of matrices that adds to what is there; autograd by itself would add in a pass of its own."""

    @staticmethod
    def forward(ctx: Any, base: torch.Tensor, narrow: torch.Tensor, weight: torch.Tensor) -> Any:
        ctx.save_for_backward(narrow, weight)
        # Detached, it still counts changes: where `base` was kept for a backward pass after all, that one refuses.
        return base.detach().addmm_(narrow, weight.t())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        narrow, weight = ctx.saved_tensors
        return gradient, gradient @ weight, gradient.t() @ narrow


class _DroppedProduct(Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, p: float, seed: int) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.p, ctx.seed = p, seed
        return linear(masked(x, dropout_mask(x, p, seed), 1 / (1 - p)), weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, weight = ctx.saved_tensors
        mask, factor = dropout_mask(x, ctx.p, ctx.seed), 1 / (1 - ctx.p)
        gradient = gradient.to(weight.dtype)  # under autocast it is in another
        wanted = ctx.needs_input_grad[0]
        return (
            masked(gradient @ weight, mask, factor) if wanted else None,
            gradient.t() @ masked(x, mask, factor),
            None,
            None,
        )
