"""Telling what a file is, choosing among several, and refusing what is no training log."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.console.foreign_logs import (
    DEEPSPEED,
    HF_STDOUT,
    LLAMAFACTORY,
    MSSWIFT,
    TENSORBOARD,
    WANDB,
    evals,
    read_all,
    steps,
    trainer_state,
)
from vlmft_console.history.importers import NothingYet, open_foreign
from vlmft_console.history.opened import open_log
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import EventWriter

HISTORY = [{"step": 1, "epoch": 0.5, "loss": 2.5}, {"step": 2, "epoch": 1.0, "eval_loss": 2.0}]
USAGE = b"usage: train.py [-h] [--model NAME]\n" + b"                [--loss {mse,ce}] [--learning_rate LR]\n" * 500

REFUSED = {
    "empty": (b"", "is empty"),
    "git-LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4892\nsize 358\n",
        "is a git-LFS pointer, not the file itself (fetch it with `git lfs pull`)",
    ),
    "argparse dump": (USAGE, "holds no training record"),
    "prose": (b"***** Running Evaluation *****\n  Num examples = 2100\n", "holds no training record"),
    "other JSON": (b'{"model_type": "bert", "layers": 12}', "holds no training record"),
    "binary": (bytes(range(32)) * 100, "is a binary file"),
    "half a trainer state": (trainer_state(HISTORY)[:-40], "was cut off, or is being written"),
    "ZIP": (b"PK\x03\x04" + bytes(100), "is a ZIP archive, not a training log"),
    "checkpoint": (b"PK\x03\x04" + bytes(26) + b"archive/data.pkl" + bytes(100), "is a PyTorch checkpoint"),
    "our own, compressed": (
        gzip.compress(b'{"v":1,"seq":0,"t":0.0,"event":"run_start","run_id":"x","segment":1}\n'),
        "is an event log of vlmft, compressed (unpack it first)",
    ),
    "old checkpoint": (b"\x80\x02\x8a\x0al\xfc\x9c" + bytes(100), "is a Python pickle, such as an older PyTorch"),
    "safetensors": (b"\x40" + bytes(7) + b'{"__metadata__":{"format":"pt"}}' + bytes(100), "is a safetensors file"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture (PNG)"),
    "database": (b"SQLite format 3\0" + bytes(100), "is an SQLite database"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "is compressed with zstd, which is not read (unpack it with `zstd -d "),
    "tar in gzip": (gzip.compress(b"log.txt" + bytes(250) + b"ustar" + bytes(900)), "is a tar archive"),
    "preset": (
        b"model: qwen\nlora:\n  r: 8\ntraining:\n  lr: 1e-4\n",
        "a preset or another configuration, with the keys",
    ),
    "configuration": (b'{\n "model_type": "bert",\n "layers": 12}', "JSON with the keys model_type, layers"),
    "source": (b"import os\nimport torch\n\ndef main():\n    loss = 0.5\n", "it seems to be a program's source"),
    "other table": (b"name,price,amount\nA,1,2\n", "a table with the columns name, price, amount"),
    "a web page": (b"<!DOCTYPE html>\n<html><body>loss: 1</body></html>", "a web page"),
    "a bomb": (b"[" * 100_000, "holds no training record"),
    "a bomb in an object": (b'{"a":' * 100_000, "holds no training record"),
}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("hf_stdout", HF_STDOUT),
        ("deepspeed", DEEPSPEED),
        ("llamafactory", LLAMAFACTORY),
        ("msswift", MSSWIFT),
        ("tensorboard", TENSORBOARD),
        ("wandb", WANDB),
        ("trainer_state", trainer_state(HISTORY)),
        ("trainer_state", json.dumps(json.loads(trainer_state(HISTORY))).encode()),
        ("trainer_state", trainer_state(HISTORY * 2000)),
        ("results", b'{"train_runtime": 5.0}'),
        ("hf_stdout", b"{'loss': 2.5, 'epoch': 0.5}\n" * 3),
    ],
)
def test_a_format_is_told_by_content_and_not_by_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(data)
    assert open_foreign(tmp_path / "notes.txt").format == name


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_training_log_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    data, reason = REFUSED[name]
    (tmp_path / "events.out.tfevents.1").write_bytes(data)
    with pytest.raises(VlmftError) as error:
        open_foreign(tmp_path / "events.out.tfevents.1")
    assert reason in str(error.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, reason in (
        (tmp_path / "fifo", "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (Path("/proc/self/mem"), "cannot be read"),
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path, "holds no training log"),
    ):
        with pytest.raises(VlmftError, match=reason):
            open_foreign(path)


def test_a_folder_of_many_files_says_how_many_of_them_were_looked_at(tmp_path: Path) -> None:
    for number in range(501):
        (tmp_path / f"{number}.txt").touch()
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "console.txt").write_bytes(HF_STDOUT)
    with pytest.raises(VlmftError, match="knows among its first 500 files"):
        open_foreign(tmp_path)
    (tmp_path / "0.txt").unlink()
    (tmp_path / "1.txt").unlink()
    assert open_foreign(tmp_path).path.name == "console.txt"


def test_a_missing_log_may_still_come_and_a_pointer_never_will(tmp_path: Path) -> None:
    with pytest.raises(NothingYet):
        open_foreign(tmp_path / "train.log")
    (tmp_path / "train.log").write_bytes(REFUSED["git-LFS pointer"][0])
    with pytest.raises(VlmftError) as error:
        open_foreign(tmp_path / "train.log")
    assert not isinstance(error.value, NothingYet)


def test_of_a_folder_the_log_with_most_points_is_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "trainer_state.json").write_bytes(trainer_state(HISTORY))
    (tmp_path / "all_results.json").write_text('{"eval_loss": 1.0}')
    (tmp_path / "console.txt").write_bytes(HF_STDOUT)
    (tmp_path / "weights.bin").write_bytes(bytes(1000))
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    reader = open_foreign(tmp_path)
    assert reader.path == tmp_path / "console.txt"
    assert reader.label == f"{tmp_path.name}/console.txt"
    assert len(steps(reader.read())) == 3


def test_our_own_event_log_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for segment in (1, 2):
        writer = EventWriter(tmp_path / "logs" / f"events-000{segment}.jsonl")
        writer.write("run_start", run_id="x", segment=segment)
        writer.write("step", step=segment, epoch=0.5, loss=2.0, lr=1e-4, grad_norm=0.5)
        writer.close()
    assert steps(open_log(tmp_path).reader.read()) == [(1, 2.0), (2, 2.0)]
    lone = tmp_path / "logs" / "events-0002.jsonl"
    assert (open_foreign(lone).format, steps(read_all(lone))) == ("vlmft", [(2, 2.0)])


HOSTILE = {
    "escapes and markup": (b"{'loss': 1.0, '\x1b[31m[red]': '\x07[@click=app.quit]x', 'epoch': 1}\n", [(1, 1.0)], 0),
    "numbers without end": (b"{'loss': 1e999, 'epoch': 1}\n{'loss': " + b"9" * 5000 + b"}\n", [(1, None)], 1),
    "deep nesting": (b"{'loss': " + b"{'a': " * 5000 + b"1" + b"}" * 5000 + b"\n", [], 1),
    "NULs": (b"\x00" * 3000 + b"{'loss': 1.0}\n\x00\x00{'loss': \x00}\n", [(1, 1.0)], 1),
    "a line of a mebibyte": (b"x" * (1 << 20) + b"{'loss': 1.0}" + b"{" * (1 << 20) + b"\n{'loss': 2.0}\n", None, 0),
    "wrong types": (b"{'loss': True}\n{'loss': [1]}\n{'loss': 'high'}\n{'loss': 1, 'step': -3}\n", [], 4),
    "a text with a dict in it": (b"""{'text': '", "loss": 5, "b": "', 'epoch': 1}\n""", [], 0),
    "not UTF-8": (b"\xff\xfe{'loss': 1.0, '\xff': '\xfe'}\n", [(1, 1.0)], 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_taken_literally_or_rejected_with_a_count(tmp_path: Path, name: str) -> None:
    data, expected, rejected = HOSTILE[name]
    log = tmp_path / "train.log"
    log.write_bytes(b"{'loss': 0.5}\n" + data)
    reader = open_foreign(log)
    found = steps(reader.read())
    assert found[0] == (1, 0.5)
    if expected is not None:
        assert found[1:] == [(step + 1, loss) for step, loss in expected]
    assert reader.rejected == rejected


def test_hostile_json_is_rejected_with_a_count(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    bad = (
        b'{"step": 2, "loss": ' + b"9" * 5000 + b"}",
        b'{"step": 2, "loss": ' + b"[" * 100_000,
        b'{"step": 2, "loss": 1.5, "text": "' + b"x" * (1 << 20) + b'"}',
        b'{"step": true, "loss": 1.5}',
        b'{"step": 1.5, "loss": 1.5}',
        b'{"step": 99999999999999999999, "loss": 1.5}',
        b"\x00\x00\x00",
        b'["loss"]',
    )
    log.write_bytes(b'{"step": 1, "loss": 2.5}\n' + b"\n".join(bad) + b'\n{"step": 3, "loss": 1e999}\n')
    reader = open_foreign(log)
    assert steps(reader.read()) == [(1, 2.5), (3, None)]
    assert reader.rejected == len(bad)


def test_a_trainer_state_with_a_number_of_thousands_of_digits_loses_that_entry_alone(tmp_path: Path) -> None:
    data = trainer_state([*HISTORY, {"step": 3, "loss": 777}]).replace(b"777", b"7" * 5000)
    (tmp_path / "trainer_state.json").write_bytes(data)
    records = read_all(tmp_path / "trainer_state.json")
    assert steps(records) == [(1, 2.5), (3, None)]
    assert evals(records) == [(2, 2.0)]
