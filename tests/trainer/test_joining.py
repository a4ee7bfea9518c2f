"""Joining a run: a rank that sees another folder than rank 0 is refused, and its host named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.joining import check_shared


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process is rank 1 of two; rank 0 says token `abc` and sees it."""
    said: list[list[Any]] = [["abc", "ignored"]]

    def gather(value: Any) -> list[Any]:
        return said.pop(0) if said else [None, value]

    monkeypatch.setattr(ranks, "world_size", lambda: 2)
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    monkeypatch.setattr(ranks, "gather", gather)
    monkeypatch.setattr("socket.gethostname", lambda: "n2")
    return monkeypatch


@pytest.mark.usefixtures("two")
def test_a_rank_that_finds_the_token_goes_on_and_leaves_it_to_rank_0(tmp_path: Path) -> None:
    (tmp_path / ".token").write_text('{"token": "abc"}')
    check_shared(RunLayout(tmp_path), seconds=0)
    assert (tmp_path / ".token").exists()


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("content", [None, '{"token": "of another start"}', "torn"])
def test_a_folder_that_is_not_rank_0s_is_refused_and_its_host_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / ".token").write_text(content)
    with pytest.raises(VlmftError, match=f"n2 does not see the run folder {tmp_path} of the first host"):
        check_shared(RunLayout(tmp_path), seconds=0)


def test_rank_0_leaves_a_token_that_is_gone_once_it_was_read(tmp_path: Path, two: pytest.MonkeyPatch) -> None:
    two.setattr(ranks, "rank", lambda: 0)
    left: list[str] = []
    two.setattr(ranks, "barrier", lambda: left.append((tmp_path / ".token").read_text()))
    check_shared(RunLayout(tmp_path), seconds=0)
    assert '"token": "abc"' in left[0]
    assert not list(tmp_path.iterdir())
