"""GPU memory that a training will need, estimated from sizes alone."""

from __future__ import annotations

from vlmft_core.plan.architecture import Architecture
from vlmft_core.preset.schema import Preset

TEXT_TOKENS = 128
"""Tokens of question, answer and template in one sample, generously."""
ANSWER_TOKENS = 32
"""Tokens of one sample that have a label: only they go through the output layer."""
PIXELS_PER_TOKEN = 784
"""Pixels of an image token: 2 x 2 patches of 14 x 14."""
FIXED_BYTES = 2 << 30
"""CUDA's context, communication buffers and fragmentation."""
NF4_BYTES = 0.516
"""Bytes of a weight in 4 bits with its share of the scales: one in 8 bits for each 64 weights, and one in 32 bits for
each 256 of those."""
LIVE_PARAMETERS = 1_000_000_000
"""Parameters that DeepSpeed keeps on a GPU at most when they are offloaded."""
MARGIN = 0.85
"""Share of a GPU's memory that an estimate may fill before activations are recomputed."""


def weight_bytes(preset: Preset) -> int:
    """Bytes for each weight: 2 for bf16 and fp16, 4 for fp32; `auto` is fp32 on a CPU."""
    precision = preset.model.precision
    return 4 if precision == "fp32" or (precision == "auto" and preset.hardware.device == "cpu") else 2


def base_bytes(preset: Preset, base: Architecture) -> int:
    """Bytes of the frozen weights on one GPU."""
    b, held = weight_bytes(preset), base.total_parameters
    if preset.hardware.offload == "parameters":
        return b * min(held, LIVE_PARAMETERS)
    if preset.model.quantization == "nf4":
        linear = base.layers * sum(inputs * outputs for inputs, outputs in base.text_linears().values())
        return b * (held - linear) + round(NF4_BYTES * linear)
    return b * held // (preset.hardware.gpus if preset.hardware.zero_stage == 3 else 1)


def needs_checkpointing(preset: Preset, base: Architecture, trainable: int, memory: int) -> bool:
    """Whether a GPU with `memory` bytes has to recompute activations, by the preset's word or, for `auto`, by the
    estimate with its margin."""
    wanted = preset.training.gradient_checkpointing
    if wanted != "auto":
        return wanted
    return gpu_bytes(preset, base, trainable, checkpointing=False) > MARGIN * memory


def gpu_bytes(preset: Preset, base: Architecture, trainable: int, *, checkpointing: bool | None = None) -> int:
    """Peak memory of one GPU in bytes, give or take a quarter.

    Args:
        checkpointing: whether activations are recomputed; None does as the preset says, and for `auto` recomputes:
            the least memory that the preset can be trained with.

    The sum of, with b bytes a weight, t tokens in a micro-batch (largest image allowed plus 128 of text each), h and
    i the widths of the language model and its MLP:

    - weights: b x parameters, shared by the GPUs under ZeRO-3, at most a billion of them when they are offloaded; in
      4 bits about half a byte for each in the language model's linear layers;
    - adapter: b a parameter for the weight and b + 12 for gradient, fp32 copy and AdamW's two moments, the latter
      shared by the GPUs under ZeRO-2 and 3 (offloaded, the 12 are not on the GPU);
    - activations of one layer: t x (b x (2 kv + 3 i) + h x (33 + 4 b)), for every layer, or with gradient
      checkpointing for one layer plus b x t x h for the input of each (measured as what autograd keeps, in bf16 and
      fp32, with an adapter on three layers: its input is kept in fp32);
    - the vision tower: one block's activations for the patches of the micro-batch, or all when it is adapted;
    - eager attention: two score matrices and an fp32 softmax for every head;
    - logits of the labelled tokens: in b, in fp32, and their gradient;
    - 2 GiB for CUDA itself.
    """
    b, gpus, stage = weight_bytes(preset), preset.hardware.gpus, preset.hardware.zero_stage
    micro = preset.training.micro_batch
    image_tokens = preset.data.max_pixels // PIXELS_PER_TOKEN
    sample_tokens = min(preset.data.max_length, image_tokens + TEXT_TOKENS)
    tokens = micro * sample_tokens
    if checkpointing is None:
        checkpointing = preset.training.gradient_checkpointing is not False

    weights = base_bytes(preset, base)
    state = b + (0 if preset.hardware.offload != "none" else 12)
    adapter = b * trainable + state * trainable // (gpus if stage >= 2 else 1)

    layer = tokens * (b * (2 * base.kv_width + 3 * base.intermediate) + base.hidden * (33 + 4 * b))
    if preset.model.attention == "eager":
        layer += micro * base.heads * sample_tokens**2 * (2 * b + 4)
    inputs = b * tokens * base.hidden
    text = layer + base.layers * inputs if checkpointing else base.layers * layer

    patches = micro * image_tokens * base.merge
    block = b * patches * (8 * base.vision_hidden + 4 * base.vision_intermediate)
    if not preset.lora.vision_tower:
        vision = block
    elif checkpointing:
        vision = block + base.vision_depth * b * patches * base.vision_hidden
    else:
        vision = base.vision_depth * block

    logits = micro * ANSWER_TOKENS * base.vocab * (b + 8)
    fixed = FIXED_BYTES if preset.hardware.device == "cuda" else 0
    return weights + adapter + text + vision + logits + fixed
