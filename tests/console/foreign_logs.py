"""Small logs as other programs write them, with their quirks."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmft_console.history.importers import open_foreign
from vlmft_console.history.importers.stores.crc32c import masked
from vlmft_core.run_folder.events import EVAL, STEP, Record


def _varint(value: int) -> bytes:
    data = b""
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes in a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


BAR = "\r 12%|█▏        | {step}/300 [01:40<27:42,  9.72s/it]"

HF_STDOUT = (
    "Map: 100%|██████████| 100/100 [00:00<00:00, 5068.16 examples/s]\n"
    "Updated tokens: {'bos_token_id': None, 'pad_token_id': 151643}.\n"
    + "".join(BAR.format(step=step) for step in range(1, 31))
    + "\r                                                 \r"
    "{'loss': 2.5, 'grad_norm': nan, 'learning_rate': 0.0002, 'epoch': 0.1}\n"
    + BAR.format(step=31)
    + "{'loss': 2.25, 'grad_norm': 1.5, 'learning_rate': 0.0001, 'epoch': 0.2}\n"
    + "{'eval_loss': 2.125, 'eval_runtime': 7.5, 'eval_samples_per_second': 6.5, 'epoch': 0.2}\n"
    + "{'loss': 2.0, 'grad_norm': 1.25, 'learning_rate': 5e-05, 'epoch': 0.3}\n"
    + "{'train_runtime': 759.8, 'train_samples_per_second': 1.579, 'train_loss': 2.25, 'epoch': 0.3}\n"
    + "Saved the adapter to: runs/first\n"
).encode()

HF5_STDOUT = (
    b"(RayTrainWorker pid=4711) {'loss': '2.431', 'grad_norm': '18.88', 'learning_rate': '0', 'epoch': '0.2',"
    b" 'num_tokens': '9.289e+04', 'mean_token_accuracy': '0.5209'}\n"
    b"\x1b[36m(RayTrainWorker pid=4712)\x1b[0m {'loss': '2.431', 'grad_norm': '18.88', 'learning_rate': '0',"
    b" 'epoch': '0.2', 'num_tokens': '9.289e+04', 'mean_token_accuracy': '0.5209'}\n"
    b"  {'loss': '0.0144', 'grad_norm': '0.5546', 'learning_rate': '1.419e-05',       \r\n  'epoch': '1'}        \n"
    b"  {'eval_loss': '0.1354', 'eval_run\n  time': '46.43', 'eval_samples_per_second':   \n  '10.96', 'epoch': '1'}\n"
    b"final: {'eval_loss': 0.13544321, 'eval_runtime': 46.43, 'epoch': 1.0}\n"
)

RANKS_STDOUT = b"".join(
    b"[default%d]:{'loss': %.4f, 'grad_norm': np.float64(0.5), 'learning_rate': 1e-04, 'epoch': %.1f}\n"
    % (rank, 2 / at, at / 10)
    for at in (1, 2, 3, 1, 2, 3, 4)
    for rank in (0, 1)
)
"""Two ranks behind torchrun's prefix, whose training crashed and began anew."""

DEEPSPEED = (
    b"***** Evaluating perplexity, Epoch 0/2 *****\nppl: 4998.3\nBeginning of Epoch 1/2, Total Micro Batches 20\n"
    b"[2023-04-18 01:46:52,554] [INFO] [loss_scaler.py:188:update_scale] [deepspeed] OVERFLOW! Rank 0 Skipping step."
    b" Attempted loss scale: 65536, reducing to 32768\n"
    b"[2023-04-18 01:46:59,142] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=1, lr=[9.6e-06, 9.6e-06],"
    b" mom=[(0.9, 0.95), (0.9, 0.95)]\n"
    b"[2025-01-02 15:47:32,712] [INFO] [logging.py:96:log_dist] [Rank 0] step=20, skip"
    b"[2025-01-02 15:47:32,712] [INFO] [logging.py:96:log_dist] [Rank 0] step=20, skipped=1, lr=[4.8e-06, 4.8e-06],"
    b" mom=[(0.9, 0.95), (0.9, 0.95)]\n"
    b"***** Evaluating perplexity, Epoch 1/2 *****\nppl: 2.718281828459045\n"
)

LLAMAFACTORY = b"".join(
    json.dumps(entry).encode() + b"\n"
    for entry in (
        {"current_steps": 10, "total_steps": 30, "loss": 2.5, "learning_rate": 3e-5, "epoch": 1.0}
        | {"percentage": 33.33, "elapsed_time": "0:00:28", "remaining_time": "0:01:00", "throughput": "0.00"},
        {"current_steps": 20, "total_steps": 30, "loss": None, "eval_loss": 2.0, "epoch": 2.0}
        | {"elapsed_time": "0:01:00"},
        {"current_steps": 30, "total_steps": 30, "loss": 1.5, "learning_rate": 0.0, "epoch": 3.0}
        | {"elapsed_time": "1 day, 0:03:02"},
        {"current_steps": 30, "total_steps": 30, "epoch": 3.0, "percentage": 100.0, "elapsed_time": "1 day, 0:03:02"},
    )
)

MSSWIFT = (
    b'{"loss": 5.0, "grad_norm": 484.0, "learning_rate": 1e-04, "token_acc": 0.25, "epoch": 0.5,'
    b' "global_step/max_steps": "1/4", "elapsed_time": "6s", "memory(GiB)": 15.97, "train_speed(iter/s)": 0.125}\n'
    b'{"loss": 5.0, "grad_norm": 484.0, "learning_rate": 1e-04, "token_acc": 0.25, "epoch": 0.5,'
    b' "global_step/max_steps": "1/4", "elapsed_time": "6s", "memory(GiB)": 15.97, "train_speed(iter/s)": 0.263332}\n'
    b'{"loss": NaN, "grad_norm": 2.0, "learning_rate": 5e-05, "epoch": 1.0, "global_step/max_steps": "2/4",'
    b' "elapsed_time": "1m 42s", "train_speed(s/it)": 4.0}\n'
    b'{"eval_loss": 0.5, "eval_token_acc": 0.75, "eval_runtime": 150.0, "epoch": 1.0, "global_step/max_steps": "2/4"}\n'
    b'{"train_runtime": 200.0, "train_loss": 3.0, "epoch": 2.0, "global_step/max_steps": "4/4"}\n'
    b'{"best_metric": 0.4, "global_step": 4, "log_history": [{"loss": 5.0, "learning_rate": 1e-04, "step": 1}]}\n'
)


def trainer_state(history: list[dict[str, Any]], **fields: Any) -> bytes:
    """Indented, with bare NaN, as transformers saves it."""
    document = {"log_history": history, "max_steps": 40, "num_train_epochs": 2, "global_step": 20, **fields}
    return json.dumps(dict(sorted(document.items())), indent=2).encode()


def tensorboard(*messages: bytes) -> bytes:
    """An event file: TFRecords, the first of which tells the version."""
    data = bytearray()
    for message in (b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"), *messages):
        head = struct.pack("<Q", len(message))
        data += head + struct.pack("<I", masked(head)) + message + struct.pack("<I", masked(message))
    return bytes(data)


def scalar(tag: str, value: float, step: int, *, tensor: bool = False) -> bytes:
    """A `tensorflow.Event` with one value, as the older or the newer writers store it."""
    number = struct.pack("<f", value)
    stored = field(8, b"\x08\x01" + field(4, number)) if tensor else b"\x15" + number
    summary = field(1, field(1, tag.encode()) + stored)
    return b"\x09" + struct.pack("<d", 1.7e9 + step) + b"\x10" + _varint(step) + field(5, summary)


TENSORBOARD = tensorboard(
    *(
        scalar(f"train/{name}", value, step, tensor=step == 20)
        for step, loss in ((10, 2.5), (20, 1.5))
        for name, value in (("loss", loss), ("learning_rate", 0.25), ("grad_norm", 0.5), ("epoch", step / 10))
    ),
    b"\x10\x14" + field(5, bytes(100_000)),
    scalar("eval/loss", 1.25, 20),
    scalar("eval/runtime", 7.5, 20),
    scalar("train/train_loss", 2.0, 20),
    scalar("weights/histogram_mean", 0.0, 20),
)


def wandb(*records: bytes) -> bytes:
    """An offline file: its header, and each record in as many fragments as the blocks make of it."""
    data = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        rest, first = record, True
        while rest or first:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += bytes(left)
                continue
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if not rest else 2) if first else (3 if rest else 4)
            data += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
    return bytes(data)


def history(**values: Any) -> bytes:
    """A history record, its keys nested as newer versions write them."""
    return b"\x08\x01" + field(2, _items(values))


def summary(**values: Any) -> bytes:
    """A summary record, which comes before each history record and says the same."""
    return b"\x08\x01" + field(3, _items(values))


def _items(values: Mapping[str, Any]) -> bytes:
    return b"".join(
        field(1, field(2, key.encode()) + field(16, json.dumps(value).encode())) for key, value in values.items()
    )


def wandb_step(step: int, loss: float) -> bytes:
    return history(**wandb_values(step, loss))


def wandb_values(step: int, loss: float) -> dict[str, Any]:
    """What the Hugging Face trainer and wandb log at a step."""
    return {
        "train/loss": loss,
        "train/learning_rate": 1e-4,
        "train/grad_norm": 0.5,
        "train/epoch": step / 10,
        "train/global_step": step,
        "_step": step - 1,
        "_timestamp": 1.7e9 + step,
    }


def wandb_stats(*names: str) -> bytes:
    """A record of the machine's load."""
    items = b"".join(field(3, field(1, name.encode()) + field(16, b"1.5")) for name in names)
    return b"\x08\x03" + field(7, items)


CONSOLE_OUTPUT = b"\x08\x02" + field(13, bytes(20000))
WANDB_EXIT = field(18, b"\x08\x01\x10\x05")
WANDB = wandb(
    *(part for step in range(1, 5) for part in (wandb_step(step, 3.0 - step / 2), CONSOLE_OUTPUT)),
    history(**{"eval/loss": 1.25, "train/epoch": 0.4, "train/global_step": 4, "_timestamp": 1.7e9 + 5}),
    history(**{"train/train_loss": 2.0, "train/train_runtime": 10.0, "train/global_step": 4, "_step": 6}),
)


def read_all(path: Path) -> list[Record]:
    """Every record that the importer finds in a file."""
    reader, records = open_foreign(path), []
    while batch := reader.read():
        records += batch
    return records


def steps(records: list[Record]) -> list[tuple[int, float | None]]:
    """Step and loss of the training records."""
    return [(record["step"], record["loss"]) for record in records if record["event"] == STEP]


def evals(records: list[Record]) -> list[tuple[int, float | None]]:
    return [(record["step"], record["eval_loss"]) for record in records if record["event"] == EVAL]


def notes(records: list[Record]) -> list[str]:
    return [record["message"] for record in records if record["event"] == "note"]
