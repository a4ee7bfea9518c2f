"""Ways to train that are measured, and the number formats in which a GPU is compared with a CPU. Light to import."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vlmft_core.preset import Lora

LORA = Lora()
"""The presets' own, dropout among it."""

AGREEMENTS = ("fp32", "bf16, images shared")


@dataclass(frozen=True)
class Way:
    """One way to train: what is switched on."""

    plain: bool = False
    """The script most people write: transformers, PEFT with its fp32 adapter under autocast, padded batches in the
    order of the data, logits and loss by transformers."""
    packed: bool = True
    shared: bool = False
    short_head: bool = True
    fused: bool = True
    recomputed: int = 0
    """Recompute the activations of every so-manieth layer; 0 keeps all."""
    attention: str = "vlmft"
    dropout: float = LORA.dropout


OURS, PLAIN = Way(), Way(plain=True, recomputed=1, attention="sdpa")
WAYS = {
    "transformers + PEFT, SDPA": PLAIN,
    "transformers + PEFT, PyTorch's flash attention": replace(PLAIN, attention="flash"),
    "vlmft": OURS,
    "vlmft, images shared": replace(OURS, shared=True),
    "transformers + PEFT, flash-attn": replace(PLAIN, attention="flash_attention_2"),
    "transformers + PEFT, PyTorch's flash attention, activations kept": replace(PLAIN, attention="flash", recomputed=0),
    "vlmft without packing": replace(OURS, packed=False),
    "vlmft without fused kernels": replace(OURS, fused=False),
    "vlmft with logits for all tokens": replace(OURS, short_head=False),
    "vlmft, activations recomputed": replace(OURS, recomputed=1),
    "vlmft, every 2nd layer's recomputed": replace(OURS, recomputed=2),
    "vlmft padded, with stock SDPA": replace(OURS, packed=False, attention="sdpa"),
    "vlmft with flash-attn": replace(OURS, attention="flash_attention_2"),
    "vlmft without dropout": replace(OURS, dropout=0.0),
}
"""In the order in which time is best spent on them."""

BASELINES = tuple(WAYS)[:2]
MAIN = tuple(WAYS)[:4]
"""Those that say how many times as fast vlmft is."""
