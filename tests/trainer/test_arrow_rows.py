"""Rows of Arrow files, counted without the library that wrote them."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pytest

from vlmft_core.plan.arrow_rows import arrow_rows
from vlmft_core.plan.row_count import count_rows

TABLE = pa.table({"question": [f"q{number}" for number in range(25)], "kind": pa.array(["a", "b"] * 12 + ["a"])})


def written(path: Path, writer: str, table: pa.Table = TABLE) -> Path:
    with pa.OSFile(str(path), "wb") as file, getattr(pyarrow.ipc, f"new_{writer}")(file, table.schema) as out:
        out.write_table(table, max_chunksize=4)
    return path


@pytest.mark.parametrize("writer", ["stream", "file"])
def test_the_rows_of_all_batches_count(tmp_path: Path, writer: str) -> None:
    assert arrow_rows(written(tmp_path / "mine.arrow", writer)) == 25
    assert count_rows(tmp_path / "mine.arrow") == 25
    assert arrow_rows(written(tmp_path / "none.arrow", writer, TABLE.slice(0, 0))) == 0
    coded = TABLE.set_column(1, "kind", TABLE["kind"].combine_chunks().dictionary_encode())
    assert arrow_rows(written(tmp_path / "coded.arrow", writer, coded)) == 25


@pytest.mark.parametrize("writer", ["stream", "file"])
def test_a_damaged_file_has_no_count_and_does_no_harm(tmp_path: Path, writer: str) -> None:
    whole = written(tmp_path / "mine.arrow", writer).read_bytes()
    damaged, chance = tmp_path / "damaged.arrow", random.Random(1)
    for number in range(300):
        content = bytearray(whole[: chance.randrange(len(whole))] if number % 2 else whole)
        for _ in range(chance.randint(1, 4)):
            if content:
                content[chance.randrange(len(content))] = chance.randrange(256)
        damaged.write_bytes(content)
        found = count_rows(damaged)
        assert found is None or found >= 0
    damaged.write_bytes(whole[:100])
    with pytest.raises(ValueError, match="a broken message"):
        arrow_rows(damaged)
    for other in (b"", b"something else", b"ARROW1\0\0"):
        damaged.write_bytes(other)
        assert count_rows(damaged) is None
