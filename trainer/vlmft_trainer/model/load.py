"""Base model: its precision and attention kernels on this machine, loading, freezing, recomputation, positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.utils import is_flash_attn_2_available

from vlmft_core.errors import ModelError, VlmftError, first_line
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.fit import unusable
from vlmft_core.plan.gpus import Gpu, without_code
from vlmft_core.preset.schema import Model
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.tower import refuse_other_windows
from vlmft_trainer.model.attention import use_packed_attention, varlen_problem
from vlmft_trainer.model.soundness import refuse_losses, refuse_numbers, refuse_rounded_rope

MODEL_TYPE = "qwen2_5_vl"
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
Precision = Literal["bf16", "fp16", "fp32"]
Attention = Literal["sdpa", "flash_attention_2", "eager"]
Quantization = Literal["none", "nf4"]


@dataclass(frozen=True)
class Kernels:
    """What this machine can do of what was asked.

    Attributes:
        precision: number format of weights and activations.
        attention: attention kernels.
        notes: what differs from what was asked, and why.
        fused: whether fused kernels are wanted for a training; whether they work shows once the model is there.
    """

    precision: Precision
    attention: Attention
    notes: tuple[str, ...]
    fused: bool = False


def choose_kernels(model: Model) -> Kernels:
    """bf16 on a GPU, fp32 on a CPU; flash attention where it can run.

    Raises:
        VlmftError: this PyTorch has no code for the GPU, the GPU has no bf16, or fp16 is asked for.
    """
    has_gpu = torch.cuda.is_available()
    gpu = Gpu(torch.cuda.get_device_name(), None, 0, torch.cuda.get_device_capability()) if has_gpu else None
    reason = unusable(model, gpu)
    if gpu and not reason:
        reason = without_code(gpu, torch.__version__, torch.cuda.get_arch_list())
    if reason:
        raise VlmftError(reason)
    precision: Precision = model.precision if model.precision != "auto" else "bf16" if has_gpu else "fp32"
    attention: Attention = "sdpa" if model.attention == "auto" else model.attention
    notes = []
    if model.attention == "auto" and not _no_flash_attention(precision):
        attention = "flash_attention_2"
    if attention == "flash_attention_2" and (reason := _no_flash_attention(precision)):
        attention = "sdpa"
        notes.append(f"flash attention is not used ({reason}); SDPA attention is used instead")
    if has_gpu and attention == "sdpa" and precision != "fp32" and (reason := varlen_problem()):
        notes.append(f"PyTorch's variable-length attention is not used ({reason}); SDPA takes samples one by one")
    fused = has_gpu if model.fused_kernels == "auto" else model.fused_kernels
    return Kernels(precision, attention, tuple(notes), fused)


def _no_flash_attention(precision: Precision) -> str:
    """Why flash attention cannot run here; empty if it can."""
    if not torch.cuda.is_available():
        return "no GPU"
    if torch.cuda.get_device_capability() < (8, 0):
        return "the GPU is older than Ampere"
    if precision == "fp32":
        return "it needs bf16 or fp16"
    if not is_flash_attn_2_available():
        return "the package flash-attn is not installed"
    try:
        import flash_attn  # noqa: F401
    except Exception as error:  # built for another torch, it fails in many ways
        return f"flash-attn cannot be loaded: {first_line(error)}"
    return ""


def load_encoder(base: str, max_pixels: int, min_pixels: int | None = None) -> Encoder:
    """The base model's `Encoder`.

    Args:
        max_pixels: of an image at most.
        min_pixels: of an image at least; None for the base's own limit.

    Raises:
        ModelError: the tokenizer or the image processor cannot be loaded.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        # Pillow's resizing everywhere: torchvision's differs slightly, and with it the measured accuracy.
        images = AutoImageProcessor.from_pretrained(base, backend="pil")
        smallest = min(min_pixels or images.size["shortest_edge"], max_pixels)
        images.size = {"shortest_edge": smallest, "longest_edge": max_pixels}
        if not tokenizer("a")["input_ids"]:  # transformers makes an empty one where its files are missing
            raise ModelError(f"base model {base}: its tokenizer knows no letter", "copy or download the model again")
        return Encoder(tokenizer, images)
    except VlmftError:
        raise
    except Exception as error:  # transformers' are OSError and ValueError; a broken tokenizer.json raises a bare one
        raise ModelError(f"base model {base}: {first_line(error)}") from error


def load_base(
    base: str, kernels: Kernels, quantization: Quantization = "none", note: Callable[[str], object] = print
) -> Any:
    """The base model, frozen.

    Args:
        base: a hub name or a folder.
        kernels: precision and attention.
        quantization: `nf4` holds the language model's linear layers in 4 bits; the vision tower stays as it is.
        note: takes what a person should know of its numbers.

    Raises:
        ModelError: it cannot be loaded whole, is not a Qwen2.5-VL, or cannot be held in 4 bits here.
    """
    try:
        config = AutoConfig.from_pretrained(base)
        if config.model_type != MODEL_TYPE:
            raise ModelError(f"base model {base}: its type is {config.model_type}", f"only {MODEL_TYPE} can be trained")
        refuse_other_windows(config.vision_config)
        model, info = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            base,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, by name
            dtype=DTYPES[kernels.precision],
            attn_implementation=kernels.attention,
            **(_four_bits(kernels) if quantization == "nf4" else {}),
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, ImportError) as error:  # ImportError: quantized weights
        raise ModelError(f"base model {base}: {first_line(error)}") from error
    refuse_losses(base, info)
    check_base(base)  # of a hub's model the files are there only now; under ZeRO-3 transformers reports half
    refuse_rounded_rope(model)
    refuse_numbers(base, model, note)
    if kernels.attention == "sdpa":
        use_packed_attention(model)
    model.requires_grad_(False)
    return model


def _four_bits(kernels: Kernels) -> dict[str, Any]:
    """What `from_pretrained` needs to hold linear layers in 4 bits.

    Raises:
        ModelError: bitsandbytes or a GPU is missing.
    """
    if find_spec("bitsandbytes") is None:
        raise ModelError("model.quantization nf4 needs bitsandbytes", "pip install bitsandbytes")
    if not torch.cuda.is_available():
        raise ModelError("model.quantization nf4 needs a GPU", "set it to none")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[kernels.precision],
        llm_int8_skip_modules=["visual", "lm_head"],  # the option's name is older than 4 bits
    )
    return {"quantization_config": config, "device_map": {"": torch.cuda.current_device()}}


def prepare_training(model: Any, *, gradient_checkpointing: bool, train_vision: bool, every: int = 1) -> None:
    """Set up activation checkpointing, and keep what is frozen out of the backward pass and out of checkpoints.

    transformers' own switch would make the output of every embedding require gradients, the patch embedding's too,
    and so send a backward through a tower that learns nothing. Checkpointing without re-entrance needs no such hook.

    Args:
        every: the first of each so many layers is recomputed, in the language model and in the tower alike, but not the
            language model's last, as `answer_loss` runs it.
    """
    base = model.get_base_model()
    if gradient_checkpointing:
        base.activation_checkpointing_enable({"use_reentrant": False})
        base.disable_input_require_grads()
        for layers in (base.model.language_model.layers, base.model.visual.blocks):
            for number, layer in enumerate(layers):  # its own count would go through both
                layer.gradient_checkpointing = number % every == 0
    if not train_vision:
        visual = base.model.visual
        visual.forward = torch.no_grad()(visual.forward)
    model.register_state_dict_post_hook(_forget_frozen)


def _forget_frozen(model: Any, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Leave frozen weights out of a state dict.

    DeepSpeed's checkpoint does so too, but overlooks the second name of a shared weight: the output layer of a model
    that shares it with its embedding would be in every checkpoint.
    """
    for name, weight in model.named_parameters(remove_duplicate=False):
        if not weight.requires_grad:
            state.pop(prefix + name, None)


def count_parameters(model: Any) -> tuple[int, int]:
    """Trainable and all parameters; ZeRO-3's partitioned ones and those in 4 bits count in full."""
    sizes = [(_numbers(weight), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)


def _numbers(weight: Any) -> int:
    if type(weight).__name__ == "Params4bit":  # two in each byte of its storage
        return 2 * int(weight.numel()) * int(weight.element_size())
    return int(getattr(weight, "ds_numel", weight.numel()))


def assert_positions(model: Any, batch: dict[str, Any]) -> None:
    """Check that a batch with images has three-dimensional positions, and the right ones.

    Without `mm_token_type_ids` the model falls back to one-dimensional ones, silently, and learns nothing about where
    things are in an image.

    Args:
        batch: of one sample, as `collate` or `pack` makes it.

    Raises:
        RuntimeError: the three rows (time, row, column) are not distinct, or not the model's own.
    """
    base = model.get_base_model()
    ids = batch["input_ids"]
    given = batch.get("position_ids")
    kinds = batch.get("mm_token_type_ids") if given is None else (ids == base.config.image_token_id).int()
    own = base.model.compute_3d_position_ids(
        input_ids=ids,
        image_grid_thw=batch.get("image_grid_thw"),
        video_grid_thw=None,
        inputs_embeds=None,
        attention_mask=batch.get("attention_mask"),
        past_key_values=None,
        mm_token_type_ids=kinds,
    )
    base.model.rope_deltas = None  # the check leaves no trace
    if own is None or any(torch.equal(own[one], own[two]) for one, two in ((0, 1), (0, 2), (1, 2))):
        raise RuntimeError("the model lost the positions of image tokens (M-RoPE): not training on that")
    if given is not None and not torch.equal(given[-3:], own):
        raise RuntimeError("the positions of a batch are not the model's own (M-RoPE): not training on that")
