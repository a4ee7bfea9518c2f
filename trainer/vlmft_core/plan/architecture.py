"""Architecture of a base model: parameter counts, its tensors, and the layers LoRA can adapt.

The published Qwen2.5-VL sizes are known here, so that a plan needs neither network nor torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from vlmft_core.plan.lora_layers import VISION, adapted_names, check_saved, under
from vlmft_core.preset.schema import Lora

DEMO_BASE = Path(__file__).parents[2] / "vlmft_trainer" / "demo" / "base"
"""The tiny base model that ships with vlmft. Cards of adapters name this place."""

_MLP = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Architecture:
    """The sizes of a Qwen2.5-VL model. Defaults are what all published sizes have in common."""

    hidden: int
    """Width of the language model."""
    layers: int
    """Layers of the language model."""
    heads: int
    """Query heads."""
    kv_heads: int
    """Key and value heads."""
    intermediate: int
    """Width of the language model's MLP."""
    vocab: int
    """Rows of the embedding."""
    tied: bool = False
    """Whether the output layer shares the embedding's weights."""
    vision_depth: int = 32
    """Blocks of the vision tower."""
    vision_hidden: int = 1280
    """Width of the vision tower."""
    vision_intermediate: int = 3420
    """Width of the vision tower's MLP."""
    vision_full_blocks: int = 4
    """Blocks of the vision tower in which a patch sees its whole image; in the others it sees its window."""
    vision_window: int = 64
    """Patches in a full window."""
    patch_inputs: int = 1176
    """Numbers in one patch: 3 channels x 2 frames x 14 x 14 pixels."""
    merge: int = 4
    """Patches merged into one image token."""

    @property
    def kv_width(self) -> int:
        """Outputs of `k_proj` and of `v_proj`."""
        return self.hidden // self.heads * self.kv_heads

    def text_linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the linear layers in one layer of the language model, by module name."""
        h, kv, mlp = self.hidden, self.kv_width, self.intermediate
        return {
            "q_proj": (h, h),
            "k_proj": (h, kv),
            "v_proj": (h, kv),
            "o_proj": (h, h),
            "gate_proj": (h, mlp),
            "up_proj": (h, mlp),
            "down_proj": (mlp, h),
        }

    def vision_linears(self) -> dict[str, tuple[int, int]]:
        """The same for one block of the vision tower."""
        h, mlp = self.vision_hidden, self.vision_intermediate
        return {
            "qkv": (h, 3 * h),
            "proj": (h, h),
            "gate_proj": (h, mlp),
            "up_proj": (h, mlp),
            "down_proj": (mlp, h),
        }

    def merger_linears(self) -> dict[str, tuple[int, int]]:
        """The same for what joins patches into image tokens, once in the vision tower."""
        merged = self.vision_hidden * self.merge
        return {"0": (merged, merged), "2": (merged, self.hidden)}

    @property
    def vision_parameters(self) -> int:
        """Parameters of the vision tower with its merger."""
        h = self.vision_hidden
        linears = sum(i * o for i, o in self.vision_linears().values())
        biases = 3 * h + h + 2 * self.vision_intermediate + h
        block = linears + biases + 2 * h
        merger = h + sum(i * o + o for i, o in self.merger_linears().values())
        return self.patch_inputs * h + self.vision_depth * block + merger

    @property
    def text_parameters(self) -> int:
        """Parameters of the language model with its embedding and output layer."""
        linears = sum(i * o for i, o in self.text_linears().values())
        biases = self.hidden + 2 * self.kv_width  # of q_proj, k_proj and v_proj
        embeddings = self.vocab * self.hidden * (1 if self.tied else 2)
        return embeddings + self.layers * (linears + biases + 2 * self.hidden) + self.hidden

    @property
    def total_parameters(self) -> int:
        """Parameters of the whole model."""
        return self.text_parameters + self.vision_parameters

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all weights by their names in the model; the patch embedding's has its inputs in one number."""
        h, v, merged = self.hidden, self.vision_hidden, self.vision_hidden * self.merge
        shapes: dict[str, tuple[int, ...]] = {
            "model.language_model.embed_tokens.weight": (self.vocab, h),
            "model.language_model.norm.weight": (h,),
            "lm_head.weight": (self.vocab, h),
            "model.visual.patch_embed.proj.weight": (v, self.patch_inputs),
            "model.visual.merger.ln_q.weight": (v,),
            "model.visual.merger.mlp.0.bias": (merged,),
            "model.visual.merger.mlp.2.bias": (h,),
        }
        for name, (inputs, outputs) in self.linear_layers(vision_tower=True).items():
            shapes[f"{name}.weight"] = (outputs, inputs)
            if ".blocks." in name or name.endswith(("q_proj", "k_proj", "v_proj")):
                shapes[f"{name}.bias"] = (outputs,)
        for layer in range(self.layers):
            for norm in ("input_layernorm", "post_attention_layernorm"):
                shapes[f"model.language_model.layers.{layer}.{norm}.weight"] = (h,)
        for block in range(self.vision_depth):
            for norm in ("norm1", "norm2"):
                shapes[f"model.visual.blocks.{block}.{norm}.weight"] = (v,)
        return shapes

    def linear_layers(self, *, vision_tower: bool) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of every linear layer that can get an adapter, by its full name in the model.

        Args:
            vision_tower: whether those of the vision tower are among them.
        """
        text = {
            f"model.language_model.layers.{layer}.{'mlp' if name in _MLP else 'self_attn'}.{name}": size
            for layer in range(self.layers)
            for name, size in self.text_linears().items()
        }
        if not vision_tower:
            return text
        blocks = {
            f"model.visual.blocks.{block}.{'mlp' if name in _MLP else 'attn'}.{name}": size
            for block in range(self.vision_depth)
            for name, size in self.vision_linears().items()
        }
        merger = {f"model.visual.merger.mlp.{name}": size for name, size in self.merger_linears().items()}
        return text | blocks | merger

    def lora_parameters(self, lora: Lora) -> int:
        """Trainable parameters of an adapter on the language model and, if it is to be adapted, the vision tower, and
        of the parts that are trained whole.

        LoRA has rank x (inputs + outputs) for each layer it is put on, DoRA one more for each output.

        Raises:
            ModelError: a name, or the pattern, matches no layer, or a part cannot be trained whole.
        """
        check_saved(lora, tied=self.tied)
        whole = {name: shape for name, shape in self.tensors().items() if under(name, lora.modules_to_save)}
        return sum(self.lora_parts(lora)) + sum(map(math.prod, whole.values()))

    def lora_parts(self, lora: Lora) -> tuple[int, int]:
        """Parameters of LoRA alone: on the language model, and on the vision tower.

        Raises:
            ModelError: as `lora_parameters`.
        """
        layers = self.linear_layers(vision_tower=lora.vision_tower)
        adapted = adapted_names(layers, lora)
        sizes = {
            name: lora.r * (inputs + outputs) + (outputs if lora.dora else 0)
            for name, (inputs, outputs) in layers.items()
            if name in adapted
        }
        tower = sum(size for name, size in sizes.items() if VISION in name)
        return sum(sizes.values()) - tower, tower


KNOWN = {
    "Qwen2.5-VL-3B": Architecture(2048, 36, 16, 2, 11008, 151936, tied=True),
    "Qwen2.5-VL-7B": Architecture(3584, 28, 28, 4, 18944, 152064),
    "Qwen2.5-VL-32B": Architecture(5120, 64, 40, 8, 27648, 152064, vision_intermediate=3456),
    "Qwen2.5-VL-72B": Architecture(8192, 80, 64, 8, 29568, 152064, vision_intermediate=3456),
}
"""The published sizes, by the name they share with and without `-Instruct`."""
