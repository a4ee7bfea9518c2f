"""Safetensors files, read and written without torch, and copies of the demo's base to damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from vlmft_core.plan.architecture import DEMO_BASE


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
