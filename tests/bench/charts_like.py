"""A Qwen2.5-VL from a configuration, with random weights, and samples shaped like ChartQA's: nothing is downloaded."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import torch

from vlmft_core.plan.architecture import KNOWN, Architecture
from vlmft_core.plan.flops import Work, forward_flops
from vlmft_trainer.data.encode import IGNORED, Encoded
from vlmft_trainer.data.patches import PATCH_BYTES
from vlmft_trainer.data.prefixes import Groups, Prefix, find_groups

PAD, IMAGE, VIDEO, VISION_START, VISION_END, FIRST_WORD = 0, 10, 11, 12, 13, 20

SMALL = Architecture(
    hidden=256,
    layers=6,
    heads=4,
    kv_heads=1,
    intermediate=1360,
    vocab=2816,
    vision_depth=6,
    vision_hidden=64,
    vision_intermediate=171,
    vision_full_blocks=1,
)
"""For a CPU: the 7B's proportions (width of the MLP, shared key heads, share of tower and output layer)."""

TINY = Architecture(
    hidden=64,
    layers=2,
    heads=2,
    kv_heads=1,
    intermediate=128,
    vocab=512,
    vision_depth=2,
    vision_hidden=64,
    vision_intermediate=96,
    vision_full_blocks=1,
)
"""To see that a bench runs."""

SIZES = {"tiny": TINY, "small": SMALL, "3b": KNOWN["Qwen2.5-VL-3B"], "7b": KNOWN["Qwen2.5-VL-7B"]}


def config(size: str) -> Any:
    """The transformers configuration of one of `SIZES`."""
    from transformers import Qwen2_5_VLConfig

    base = SIZES[size]
    part = base.hidden // base.heads // 8  # M-RoPE's shares of a head: a quarter time, three eighths row and column
    full, depth = base.vision_full_blocks, base.vision_depth
    return Qwen2_5_VLConfig(
        text_config={
            "hidden_size": base.hidden,
            "num_hidden_layers": base.layers,
            "num_attention_heads": base.heads,
            "num_key_value_heads": base.kv_heads,
            "intermediate_size": base.intermediate,
            "vocab_size": base.vocab,
            "max_position_embeddings": 32768,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [part, 3 * part // 2, 4 * part - part - 3 * part // 2],
            },
        },
        vision_config={
            "depth": depth,
            "hidden_size": base.vision_hidden,
            "num_heads": 16 if base.vision_hidden == 1280 else 4,
            "intermediate_size": base.vision_intermediate,
            "out_hidden_size": base.hidden,
            "fullatt_block_indexes": [depth * (block + 1) // full - 1 for block in range(full)],
        },
        tie_word_embeddings=base.tied,
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
    )


def build(size: str, *, device: str = "cpu", dtype: torch.dtype = torch.float32, attention: str = "sdpa") -> Any:
    """A frozen model; the same weights each time."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(0)
    shape = config(size)
    shape._attn_implementation = attention
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen2_5_VLForConditionalGeneration(shape)
    finally:
        torch.set_default_dtype(before)
    return model.requires_grad_(False)


QUESTIONS = (1, 2, 1, 1, 3, 1, 1, 2, 1, 2, 1, 3, 1, 1, 2, 1, 3, 1, 2, 1)
"""Questions about one image after the other, again and again: 1.55 on average, as ChartQA's training images have."""


def samples(count: int, size: str, *, scale: float = 1.0, seed: int = 0, asked: bool = False) -> list[Encoded]:
    """Samples of 650 to 1,050 tokens, 60 to 130 of them text, and an answer of 4: a chart's, as far as work goes.

    All answers are of one length, so that a mean of micro-batch means, which other trainers minimise, is the mean
    over tokens.

    Args:
        scale: of all lengths but the answer's.
        asked: whether images have several questions (see `QUESTIONS`), which then follow each other.
    """
    chance = random.Random(seed)
    made = torch.Generator().manual_seed(seed)
    vocab = SIZES[size].vocab
    result = []
    times = itertools.cycle(QUESTIONS if asked else (1,))
    while len(result) < count:
        total, text = int(chance.randint(650, 1050) * scale), int(chance.randint(60, 130) * scale)
        columns = chance.randint(int(18 * scale**0.5), int(34 * scale**0.5))
        rows = max(1, (total - text) // columns)
        pixels = torch.randint(256, (rows * columns * 4, PATCH_BYTES), dtype=torch.uint8, generator=made)
        grid = torch.tensor([[1, 2 * rows, 2 * columns]])
        for _ in range(next(times)):
            words = [chance.randrange(FIRST_WORD, min(vocab, 2048)) for _ in range(text)]
            ids = [VISION_START, *[IMAGE] * (rows * columns), VISION_END, *words]
            result.append(Encoded(ids, [IGNORED] * (len(ids) - 4) + ids[-4:], pixels, grid))
    return result[:count]


def groups(encoded: Sequence[Encoded]) -> Groups:
    """Which of `samples` are about one image."""
    keys = [str(id(one.pixel_values)).encode() for one in encoded]
    prefixes = [Prefix(key, one.input_ids.index(VISION_END)) for key, one in zip(keys, encoded, strict=True)]
    return find_groups(prefixes, range(len(encoded)))


def head_share(base: Architecture, tokens: int, patches: int) -> float:
    """The output layer's share of a forward that computes it for every token, 0 to 1."""
    parts = forward_flops(base, Work(tokens, tokens**2, tokens, patches, patches**2))
    return parts["head"] / sum(parts.values())
