"""Logs that were compressed, or stored in another encoding than UTF-8."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.console.foreign_logs import HF_STDOUT, TENSORBOARD, WANDB, notes, read_all, steps, trainer_state
from vlmft_console.history.importers import open_foreign, unpacked
from vlmft_core.errors import VlmftError

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": partial(bz2.compress, compresslevel=1),
}
LINES = b"".join(b"step: %d loss: 2.5 lr: 1\n" % step for step in range(9))
HISTORY = [{"step": 1, "epoch": 0.5, "loss": 2.5}, {"step": 2, "epoch": 1.0, "eval_loss": 2.0}]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "train.log"


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize(
    "data",
    [HF_STDOUT, WANDB, TENSORBOARD, trainer_state(HISTORY), LINES],
    ids=["dicts", "wandb", "tensorboard", "JSON", "lines"],
)
def test_a_compressed_log_of_any_format_reads_like_the_log_itself(log: Path, data: bytes, packer: str) -> None:
    log.write_bytes(data)
    plain = read_all(log)
    log.write_bytes(PACKERS[packer](data))
    assert read_all(log) == plain
    log.write_bytes(PACKERS[packer](data[:100]) + PACKERS[packer](data[100:]))  # as `cat a.gz b.gz` makes it
    assert read_all(log) == plain


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_a_log_in_another_encoding_reads_like_one_in_utf_8(log: Path, encoding: str) -> None:
    text = HF_STDOUT.decode()
    log.write_text(text, encoding=encoding)
    assert steps(read_all(log)) == [(1, 2.5), (2, 2.25), (3, 2.0)]


@pytest.mark.parametrize("packer", PACKERS)
def test_of_a_compressed_log_that_is_cut_off_what_there_is_is_read(log: Path, packer: str) -> None:
    text = "".join(f"{{'loss': {number}.5, 'epoch': 0.1}} {hash(number * 1.7)}\n" for number in range(9000)).encode()
    packed = PACKERS[packer](text)
    log.write_bytes(packed[: len(packed) // 2])
    records = read_all(log)
    assert 0 < len(steps(records)) < 9000
    assert [note for note in notes(records) if "cut off" in note]
    assert notes(records) == list(dict.fromkeys(notes(records)))


def test_a_damaged_compressed_log_is_read_up_to_the_damage(log: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(b"{'loss': %d.5, 'epoch': 1}\n" % number for number in range(9000))))
    packed[len(packed) // 2 :] = random.Random(7).randbytes(len(packed) // 2)
    log.write_bytes(packed)
    records = read_all(log)
    assert steps(records)
    assert [note for note in notes(records) if "is damaged" in note]


def test_a_bomb_is_refused_in_one_line(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "_BOMB", 1 << 20)
    for bomb in (gzip.compress(bytes(8 << 20)), lzma.compress(bytes(8 << 20)), gzip.compress(b"\n" * (8 << 20))):
        log.write_bytes(bomb)
        with pytest.raises(VlmftError, match="unpacks to more than"):
            open_foreign(log)


def test_a_compressed_log_is_followed_while_it_grows(log: Path) -> None:
    first, second = gzip.compress(HF_STDOUT), gzip.compress(b"{'loss': 1.0, 'epoch': 0.4}\n")
    log.write_bytes(first)
    reader = open_foreign(log)
    assert len(steps(reader.read())) == 3
    log.write_bytes(first + second)
    assert [loss for _, loss in steps(reader.read())] == [1.0]
