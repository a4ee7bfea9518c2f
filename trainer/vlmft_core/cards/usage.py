"""Usage of a result with plain libraries: Python that loads it and asks one question. It needs no torchvision, which
`AutoProcessor` would."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_folder import resolve_base
from vlmft_core.preset import Preset

HERE: Final = "path/to/this/folder"
"""Stands for the folder of the adapter or the model."""
_SMALLEST: Final = 56 * 56
"""Pixels of an image at least, as Qwen2.5-VL has it."""


def snippet(preset: Preset, folder: str = HERE, *, merged: bool = False) -> str:
    """The code.

    Args:
        preset: names the base, and how large images may be.
        folder: where the adapter is, or the whole model.
        merged: whether it is the whole model.
    """
    data = preset.data
    least = min(data.min_pixels or _SMALLEST, data.max_pixels)
    size = f'{{"shortest_edge": {least}, "longest_edge": {data.max_pixels}}}'
    head = "" if merged else "from peft import PeftModel\n"
    base = f'\nbase = "{folder}"' if merged else _base_lines(preset.model.base)
    adapter = "" if merged else f'model = PeftModel.from_pretrained(model, "{folder}")\n'
    return f"""{head}from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
{base}
tokenizer = AutoTokenizer.from_pretrained(base)
processor = AutoImageProcessor.from_pretrained(base, backend="pil", size={size})
model = AutoModelForImageTextToText.from_pretrained(base, dtype="auto", device_map="auto")
{adapter}
image = processor(Image.open("chart.png").convert("RGB"), return_tensors="pt")
content = [{{"type": "image"}}, {{"type": "text", "text": "What is the highest value?"}}]
messages = [{{"role": "user", "content": content}}]
prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
count = int(image["image_grid_thw"].prod()) // processor.merge_size**2
prompt = prompt.replace("<|image_pad|>", "<|image_pad|>" * count)
inputs = tokenizer(prompt, return_tensors="pt")
inputs["mm_token_type_ids"] = (inputs["input_ids"] == model.config.image_token_id).int()
answer = model.generate(**inputs.to(model.device), **image.to(model.device), max_new_tokens=32, do_sample=False)
print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""


def portable_base(base: str) -> str:
    """A base as others may find it: its name on the hub, `demo`, or the name of a folder, without where that lies."""
    if resolve_base(base) == str(DEMO_BASE):
        return "demo"
    return Path(base).name if Path(base).is_dir() else base


def portable(preset: Preset) -> Preset:
    """A preset to be passed on: local files and folders by their names alone, without where they lie here."""

    def name(path: str) -> str:
        return Path(path).name if Path(path).is_absolute() else path

    begun = preset.lora.start_from
    sources = [
        source.model_copy(update={"path": name(source.path), "images": name(source.images)})
        for source in preset.data.sources
    ]
    return preset.model_copy(
        update={
            "model": preset.model.model_copy(update={"base": portable_base(preset.model.base)}),
            "lora": preset.lora.model_copy(update={"start_from": begun and name(begun)}),
            "data": preset.data.model_copy(update={"sources": sources}),
        }
    )


def _base_lines(base: str) -> str:
    if resolve_base(base) == str(DEMO_BASE):
        return "from vlmft_core.plan.architecture import DEMO_BASE\n\nbase = DEMO_BASE"
    return f'\nbase = "{"path/to/" if Path(base).is_dir() else ""}{portable_base(base)}"'
