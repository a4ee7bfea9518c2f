"""Reading a log to its end, in this process and in one of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.console.foreign_logs import DEEPSPEED, HF_STDOUT, LLAMAFACTORY, MSSWIFT, TENSORBOARD, WANDB, trainer_state
from tests.console.states import content
from tests.records import run_start, step, write_log
from tests.sample_run import make_sample
from vlmft_console.history import loading
from vlmft_console.history.loading import Progress, ReadAhead, ReadLog, load, read_log
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder import growing
from vlmft_core.run_folder.layout import RunLayout

HISTORY = [{"step": 1, "epoch": 0.5, "loss": 2.5}, {"step": 2, "epoch": 1.0, "eval_loss": 2.0}]
FOREIGN = {
    "hf_stdout": HF_STDOUT,
    "deepspeed": DEEPSPEED,
    "llamafactory": LLAMAFACTORY,
    "msswift": MSSWIFT,
    "tensorboard": TENSORBOARD,
    "wandb": WANDB,
    "trainer_state": trainer_state(HISTORY),
}


def ahead(target: Path) -> ReadLog:
    *_, last = ReadAhead(target).results()
    assert isinstance(last, ReadLog)
    return last


def test_a_run_read_in_another_process_is_the_same_and_can_be_followed_from_there(tmp_path: Path) -> None:
    folder = make_sample(tmp_path)
    mine, other = read_log(folder.path), ahead(folder.path)
    assert (other.name, other.log.folder) == (mine.name, RunLayout(folder.path))
    assert content(other.state) == content(mine.state)
    assert other.state.findings != []
    with folder.events_file().open("a") as log:
        log.write('{"v":1,"seq":99999,"t":1.0,"event":"note","message":"more"}\n')
    for each in (mine, other):
        each.state.apply_all(each.log.reader.read())
        assert each.state.notes[-1] == "more"
        each.state.smooth_loss.weight = 0.5
    assert content(other.state) == content(mine.state)


@pytest.mark.parametrize("format", FOREIGN)
def test_the_log_of_any_other_program_can_be_read_in_another_process(tmp_path: Path, format: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(FOREIGN[format])
    mine, other = read_log(log), ahead(log)
    assert other.log.format == format
    assert content(other.state) == content(mine.state)
    assert other.log.foreign is not None
    assert other.log.reader.read() == []


def test_how_far_the_reading_is_comes_from_the_other_process_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LOADING_SECONDS", 0.0)
    log = write_log(tmp_path / "a.jsonl", [run_start(), *(step(number) for number in range(1, 9))])
    for results in (load(log), ReadAhead(log).results()):
        first, last = results
        assert isinstance(first, Progress)
        assert (first.share, first.step) == (1.0, 8)
        assert str(first).endswith("a.jsonl: 100 %, step 8")
        assert isinstance(last, ReadLog)


def test_a_log_that_takes_a_while_shows_what_it_held_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOADING_SECONDS", "GLIMPSE_SECONDS"):
        monkeypatch.setattr(loading, name, 0.0)
    monkeypatch.setattr(growing, "CHUNK", 1000)
    log = tmp_path / "log"
    log.write_text("".join(f"{{'loss': {number}.5, 'epoch': 1}}\n" for number in range(1, 3001)))
    for results in (load(log), ReadAhead(log).results()):
        first, *_, last = results
        assert isinstance(first, Progress)
        assert isinstance(last, ReadLog)
        assert first.glimpse
        so_far = first.glimpse.value()
        assert 1000 < so_far.step == len(so_far.train_loss) < 3000
        assert list(so_far.train_loss) == list(last.state.train_loss)[: so_far.step]


def test_what_cannot_be_read_is_told_in_the_same_words(tmp_path: Path) -> None:
    with pytest.raises(VlmftError) as mine:
        read_log(tmp_path / "nothing")
    with pytest.raises(VlmftError) as other:
        ahead(tmp_path / "nothing")
    assert str(other.value) == str(mine.value)


def test_a_log_is_read_here_when_the_other_process_was_killed(tmp_path: Path) -> None:
    reading = ReadAhead(write_log(tmp_path / "a.jsonl", [run_start(), step(1)]))
    os.kill(reading._child, signal.SIGKILL)
    *_, last = reading.results()
    assert isinstance(last, ReadLog)
    assert last.state.step == 1
