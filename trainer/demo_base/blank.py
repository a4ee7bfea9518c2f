"""Blank base: a byte-level tokenizer, an image processor and random weights.

All three are what a Qwen2.5-VL folder holds, only smaller, so everything that loads the real model loads this one.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from vlmft_trainer.data.encode import SYSTEM_PROMPT
from vlmft_trainer.demo.questions import base_chart, base_sign, house_chart, house_sign

SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>",
    "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip

VOCABULARY = 512
"""Tokens, the special ones and all 256 bytes among them."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\n" + SYSTEM_PROMPT + "<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen2.5-VL's template without video and without numbered pictures."""


def blank_tokenizer(seed: int) -> Any:
    """A Qwen2 tokenizer (digits one by one, every byte covered) whose merges know the words of both tasks."""
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(
        _corpus(random.Random(seed)),
        vocab_size=VOCABULARY,
        new_special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS[1:]],
        show_progress=False,
    )
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def blank_image_processor() -> Any:
    """Qwen2.5-VL's image processing, with the lower bound on pixels low enough to leave small images alone."""
    return Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 256})


def blank_model(tokenizer: Any, seed: int) -> Any:
    """A Qwen2.5-VL of 2.7 million parameters with random weights, float32."""
    ids = dict(zip(SPECIAL_TOKENS, tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)), strict=True))
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 192,
            "intermediate_size": 448,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            # The three sections (time, row, column) add up to half a head: 32 / 2.
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [4, 6, 6]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 4,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "out_hidden_size": 192,
            "window_size": 112,
            "fullatt_block_indexes": [1, 3],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]],
        pad_token_id=ids["<|endoftext|>"],
        do_sample=False,
        max_new_tokens=16,
    )
    return model


def _corpus(rng: random.Random) -> list[str]:
    """Questions and answers of both tasks, and the words of the conversation around them."""
    lines = [SYSTEM_PROMPT, "system\n", "user\n", "assistant\n"] * 1500
    for _ in range(1500):
        for make in (base_chart, base_sign):
            lines += [f"{q.text}\n{q.answer}" for q in make(rng, 1)[1]]
        for question in (house_chart(rng)[1], house_sign(rng)[1]):
            lines.append(f"{question.text}\n{question.answer}")
    return lines
