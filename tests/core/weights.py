"""Safetensors files, read and written without torch, and copies of the demo's base to damage."""

from __future__ import annotations

import json
import random
import shutil
import struct
from pathlib import Path
from typing import Any, NamedTuple

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_folder import read_architecture


class Tensor(NamedTuple):
    dtype: str
    shape: list[int]
    data: bytes


def read_tensors(path: Path) -> dict[str, Tensor]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header.pop("__metadata__", None)
    return {
        name: Tensor(entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
        for name, entry in header.items()
    }


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    header, at = {}, 0
    for name, tensor in tensors.items():
        offsets = [at, at + len(tensor.data)]
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets}
        at = offsets[1]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(tensor.data for tensor in tensors.values()))


def copy_base(folder: Path, shards: int = 1) -> Path:
    """A copy of the demo's base, its weights in one file or in some shards with an index."""
    shutil.copytree(DEMO_BASE, folder, copy_function=shutil.copyfile)
    if shards > 1:
        tensors = read_tensors(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        names, index = list(tensors), {}
        for shard in range(shards):
            file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
            own = names[shard * len(names) // shards : (shard + 1) * len(names) // shards]
            write_tensors(folder / file, {name: tensors[name] for name in own})
            index |= dict.fromkeys(own, file)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return folder


def write_adapter(folder: Path, *, prefix: str = "base_model.model.", r: int = 4, seed: int = 1, **config: Any) -> Path:
    """A LoRA adapter of the demo's base as PEFT writes it, on q_proj, v_proj and o_proj of the language model."""
    draw = random.Random(seed)
    settings = {"peft_type": "LORA", "r": r, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "o_proj"]}
    settings |= {"base_model_name_or_path": "demo", "bias": "none"}
    tensors = {}
    for name, (inputs, outputs) in read_architecture(DEMO_BASE).linear_layers(vision_tower=False).items():
        if name.endswith(("q_proj", "v_proj", "o_proj")):
            for part, shape in (("lora_A", [r, inputs]), ("lora_B", [outputs, r])):
                numbers = [draw.gauss(0, 0.05) for _ in range(shape[0] * shape[1])]
                tensors[f"{prefix}{name}.{part}.weight"] = Tensor(
                    "F32", shape, struct.pack(f"<{len(numbers)}f", *numbers)
                )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(settings | config))
    write_tensors(folder / "adapter_model.safetensors", tensors)
    return folder
