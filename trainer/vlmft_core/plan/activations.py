"""Activations: what autograd keeps of a forward for the backward, in bytes, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.lora_layers import VISION, adapted_names, trains_vision
from vlmft_core.preset.schema import Preset

TEXT_TOKENS = 128
"""Tokens of question, answer and template in one sample, generously."""
PIXELS_PER_TOKEN = 784
"""Pixels of an image token: 2 x 2 patches of 14 x 14."""
KEPT, ALL = 0, 1
"""Values of `every`: no layer is recomputed, or all are. n above 1 recomputes the first of each n. The language model's
last is never recomputed."""


@dataclass(frozen=True)
class Batch:
    """The largest micro-batch."""

    samples: int
    tokens: int
    """Of all samples, with padding."""
    longest: int
    """Tokens of its longest sample."""
    patches: int
    """Of its images, four to an image token."""


@dataclass(frozen=True)
class Numbers:
    """Bytes of numbers, and which kernels compute with them."""

    weight: int
    """Bytes of a weight and of an activation: 2 in bf16 and fp16, 4 in fp32."""
    fused: bool
    """Whether norms, gated MLPs and dropout are kernels of their own, which keep less."""


def numbers(preset: Preset) -> Numbers:
    """How a preset computes. `auto` is bf16, and fp32 on a CPU."""
    on_cpu = preset.hardware.device == "cpu"
    precision = preset.model.precision
    weight = 4 if precision == "fp32" or (precision == "auto" and on_cpu) else 2
    wanted = preset.model.fused_kernels
    return Numbers(weight, not on_cpu if wanted == "auto" else wanted)


def largest_batch(preset: Preset, base: Architecture) -> Batch:
    """A micro-batch of the longest samples there can be: the largest image allowed and `TEXT_TOKENS` of text each."""
    samples, image = preset.training.micro_batch, preset.data.max_pixels // PIXELS_PER_TOKEN
    longest = min(preset.data.max_length, image + TEXT_TOKENS)
    return Batch(samples, samples * longest, longest, samples * image * base.merge)


@dataclass(frozen=True)
class Activations:
    """Bytes of the activations of one micro-batch."""

    layers: tuple[int, ...]
    """What each layer of the language model keeps for the backward; 0 below the first whose adapter learns."""
    layer_input: int
    """What a layer keeps if it is recomputed."""
    blocks: tuple[int, ...]
    """The same for the blocks of a vision tower that learns."""
    block_input: int
    rest: int
    """What is there whatever is recomputed: embedded tokens, the last norm, an MLP's gradients in the backward."""
    frozen_tower: int
    """Most that a frozen vision tower needs, before any of that and keeping nothing."""

    def peak(self, every: int) -> int:
        """Most bytes at any time of a step.

        Args:
            every: which layers are recomputed (`KEPT`, `ALL`, or n for the first of each n).
        """
        text = _kept(self.layers, self.layer_input, every) + _kept(self.blocks, self.block_input, every) + self.rest
        return max(text, self.frozen_tower)


def activations(preset: Preset, base: Architecture, batch: Batch) -> Activations:
    """What a preset's micro-batch keeps.

    Raises:
        ModelError: an adapter's layers cannot be told.
    """
    how, t, p = numbers(preset), batch.tokens, batch.patches
    b, lora = how.weight, preset.lora
    text, tower = _adapted_kinds(preset, base)
    learns = trains_vision(lora) or "embed_tokens" in lora.modules_to_save
    first = 0 if learns else next((at for at, found in enumerate(text) if found), base.layers)
    rest = 2 * b * t * base.hidden  # embedded tokens, with and without images
    rest += t * (b * base.hidden + 4) if how.fused else 4 * t * base.hidden  # the last norm
    rest += 3 * b * t * base.intermediate  # gradients in the backward of an MLP
    if preset.model.quantization == "nf4":  # a whole matrix, unpacked for its product
        rest += b * base.hidden * base.intermediate
    if trains_vision(lora):
        rest += 2 * b * p * base.vision_hidden  # the merger
    return Activations(
        layers=tuple(layer_bytes(preset, base, batch, found) if at >= first else 0 for at, found in enumerate(text)),
        layer_input=b * t * base.hidden,
        blocks=tuple(block_bytes(preset, base, batch, found) for found in tower) if lora.vision_tower else (),
        block_input=b * p * base.vision_hidden,
        rest=rest,
        frozen_tower=0 if trains_vision(lora) else block_bytes(preset, base, batch, ()),
    )


def layer_bytes(preset: Preset, base: Architecture, batch: Batch, adapted: Collection[str]) -> int:
    """Bytes that one layer of the language model keeps, measured with the tensors that autograd saves.

    With t tokens, h, i and k the widths of the layer, its MLP and its keys, b bytes a number:

    - attention: queries, keys, values and its output, b t (2 h + 2 k), and 4 bytes a head for the softmax's sum; where
      no kernel does several samples at once, keys and values as wide as queries; eager, two score matrices and an
      fp32 softmax of every head;
    - norms: both inputs, in fp32 unless fused;
    - MLP: both its halves, b t 2 i; not fused, the gate after its activation too;
    - adapter: its r numbers a token, and its input once for all layers that share it. With dropout, where PEFT's own
      forward is used (not fused, DoRA, in 4 bits), each keeps its input after dropout and a byte a number for what was
      dropped.

    Args:
        adapted: last names of its linear layers that have an adapter.
    """
    how, t, h = numbers(preset), batch.tokens, base.hidden
    b = how.weight
    by_kernel = b == 2 and preset.hardware.device == "cuda"
    attention = b * t * (2 * h + 2 * (base.kv_width if by_kernel else h)) + 4 * t * base.heads
    if preset.model.attention == "eager":
        attention += batch.samples * base.heads * batch.longest**2 * (2 * b + 4)
    norms = 2 * t * (b * h + 4) if how.fused else 2 * t * (4 * h + 4)
    mlp = b * t * base.intermediate * (2 if how.fused else 3)
    widths = {name: inputs for name, (inputs, _) in base.text_linears().items()}
    shared = {"q_proj": "norm", "k_proj": "norm", "v_proj": "norm", "gate_proj": "second", "up_proj": "second"}
    # What attention gives is kept anyway.
    inputs = {name: shared.get(name, name) for name in adapted if name != "o_proj"}
    return (
        attention + norms + mlp + _adapter_bytes(preset, t, widths, adapted, inputs) + _dora(preset, base, t, adapted)
    )


def block_bytes(preset: Preset, base: Architecture, batch: Batch, adapted: Collection[str]) -> int:
    """The same for one block of the vision tower, whose patches stand for tokens."""
    how, p, h, i = numbers(preset), batch.patches, base.vision_hidden, base.vision_intermediate
    b = how.weight
    attention = b * p * 5 * h + 4 * p * 16  # the three of `qkv` before and after they are rotated, and the output
    norms = 2 * p * (b * h + 4) if how.fused else 2 * p * (4 * h + 4)
    mlp = b * p * i * (2 if how.fused else 3)
    widths = {name: inputs for name, (inputs, _) in base.vision_linears().items()}
    shared = {"gate_proj": "second", "up_proj": "second"}
    inputs = {name: shared.get(name, name) for name in adapted if name != "proj"}
    return attention + norms + mlp + _adapter_bytes(preset, p, widths, adapted, inputs)


def _adapter_bytes(
    preset: Preset, rows: int, widths: dict[str, int], adapted: Collection[str], inputs: dict[str, str]
) -> int:
    """What LoRA keeps of `rows` tokens.

    Args:
        widths: inputs of the linear layers, by name.
        inputs: whose input has to be kept for LoRA alone, and by what name others share it.
    """
    how, r = numbers(preset), preset.lora.r
    narrow = how.weight * rows * r * len(adapted)
    fused = how.fused and not preset.lora.dora and preset.model.quantization == "none"
    if preset.lora.dropout and not fused:
        return narrow + sum((how.weight + 1) * rows * widths[name] for name in adapted)
    return narrow + sum(
        how.weight * rows * width for width in {place: widths[n] for n, place in inputs.items()}.values()
    )


def _dora(preset: Preset, base: Architecture, rows: int, adapted: Collection[str]) -> int:
    """Outputs that DoRA keeps: the base's and the adapter's."""
    if not preset.lora.dora:
        return 0
    return sum(2 * numbers(preset).weight * rows * base.text_linears()[name][1] for name in adapted)


def _kept(layers: Sequence[int], inputs: int, every: int) -> int:
    """Bytes that layers keep together, with room for what a recomputed one needs in the backward.

    Args:
        layers: bytes that each keeps; 0 where no gradient comes to.
        inputs: bytes of a layer's input, which is what a recomputed one keeps.
    """
    if every == KEPT:
        return sum(layers)
    total = sum((inputs if at % every == 0 else size) if size else 0 for at, size in enumerate(layers))
    # Where the last layer is kept, its share is free by the time one before it is recomputed. The language model's
    # always is, with less than a layer's share.
    return total + (layers[-1] if layers and (len(layers) - 1) % every == 0 else 0)


def _adapted_kinds(preset: Preset, base: Architecture) -> tuple[list[set[str]], list[set[str]]]:
    """Last names of the adapted linear layers, for each layer of the language model and each block of the tower."""
    text: list[set[str]] = [set() for _ in range(base.layers)]
    tower: list[set[str]] = [set() for _ in range(base.vision_depth)]
    for name in adapted_names(base.linear_layers(vision_tower=preset.lora.vision_tower), preset.lora):
        parts = name.split(".")
        if "merger" not in parts:
            (tower if VISION in name else text)[int(parts[3])].add(parts[-1])
    return text, tower
