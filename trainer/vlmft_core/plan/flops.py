"""FLOPs, the floating point operations that a training needs.

A multiplication and an addition are two operations. Counted is what the mathematics asks for: no padding, no
recomputation of activations, logits and the last layer's MLP at supervised positions only, half of causal attention's
square. With T tokens, T2 the sum of the squared lengths, S supervised tokens, P patches and P2 the sum of the squared
patch counts of images:

- language model, forward: 2 T x weights of the linear layers, but 2 S x those of the last MLP, + 2 T2 x layers x width
  + 2 S x vocabulary x width;
- its backward: the linear layers and logits once more, for gradients of activations alone, as their weights are frozen;
  attention twice more;
- adapter: 6 T x its parameters (forward, gradients of activations and of weights): for those of the last MLP, which
  sees S tokens, an upper bound;
- a part that is trained whole: its weights' gradients, as many as its forward takes; the merger's activations once more
  where the tower is not adapted; the embedding's are few;
- vision tower, forward: 2 P x weights + 4 width x (P2 x blocks with full attention + P x window x the others); its
  backward, as above, only if it is adapted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from vlmft_core.plan.architecture import Architecture
from vlmft_core.preset.schema import Lora


@dataclass(frozen=True)
class Work:
    """What was computed: sums over samples."""

    tokens: int = 0
    """Of text and images, padding left out."""
    token_squares: int = 0
    """Sum of the squared lengths."""
    supervised: int = 0
    """Tokens with a label."""
    patches: int = 0
    """Of images, four to an image token."""
    patch_squares: int = 0
    """Sum of the squared patch counts of images."""

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Work)))


def forward_flops(base: Architecture, work: Work) -> dict[str, float]:
    """Operations of one forward, by part: `text` (without the output layer), `head`, `vision`."""
    sizes = {name: i * o for name, (i, o) in base.text_linears().items()}
    linears = work.tokens * base.layers * sum(sizes.values())
    linears -= (work.tokens - work.supervised) * sum(sizes[name] for name in ("gate_proj", "up_proj", "down_proj"))
    tower = base.vision_depth * sum(i * o for i, o in base.vision_linears().values())
    tower += base.patch_inputs * base.vision_hidden
    tower += sum(i * o for i, o in base.merger_linears().values()) // base.merge
    return {
        "text": 2.0 * linears + _text_attention(base, work),
        "head": 2.0 * work.supervised * base.vocab * base.hidden,
        "vision": 2.0 * work.patches * tower + _vision_attention(base, work),
    }


def training_flops(base: Architecture, lora: Lora, work: Work) -> float:
    """Operations of forward and backward."""
    forward = forward_flops(base, work)
    adapter, tower = base.lora_parts(lora)
    text = 2 * (forward["text"] + forward["head"]) + _text_attention(base, work) + 6.0 * work.tokens * adapter
    if "lm_head" in lora.modules_to_save:
        text += forward["head"]
    if "merger" in lora.modules_to_save:
        merger = sum(i * o for i, o in base.merger_linears().values()) / base.merge
        text += 2.0 * work.patches * merger * (1 if lora.vision_tower else 2)
    if not lora.vision_tower:
        return text + forward["vision"]
    vision = 2 * forward["vision"] + _vision_attention(base, work) + 6.0 * work.patches * tower
    return text + vision


def _text_attention(base: Architecture, work: Work) -> float:
    return 2.0 * work.token_squares * base.layers * base.hidden


def _vision_attention(base: Architecture, work: Work) -> float:
    full = min(base.vision_full_blocks, base.vision_depth)
    scores = work.patch_squares * full + work.patches * base.vision_window * (base.vision_depth - full)
    return 4.0 * base.vision_hidden * scores
