"""What happens beside training: stop requests, heartbeats."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl

from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.training.callbacks.heartbeat import Heartbeat
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest, StopRequested
from vlmft_trainer.training.run_log import RunLog


def test_a_stop_file_ends_training_after_this_step_with_a_checkpoint_and_no_eval(tmp_path: Path) -> None:
    stop = StopOnRequest(RunLayout(tmp_path))
    control = TrainerControl(should_evaluate=True)
    stop.on_step_end(None, None, control)
    assert (control.should_evaluate, control.should_save, control.should_training_stop) == (True, False, False)
    (tmp_path / "stop.json").write_text("{}")
    stop.on_step_end(None, None, control)
    assert (control.should_evaluate, control.should_save, control.should_training_stop) == (False, True, True)


def test_a_request_stays_once_agreed(tmp_path: Path) -> None:
    stop = StopOnRequest(RunLayout(tmp_path))
    stop.check()
    (tmp_path / "stop.json").touch()
    assert stop.asked()
    (tmp_path / "stop.json").unlink()
    with pytest.raises(StopRequested):
        stop.check()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_schedulers_signal_is_a_request_while_listening(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopOnRequest(RunLayout(tmp_path)) as stop:
        assert not stop.asked()
        signal.raise_signal(number)
        assert stop.asked()
        assert (stop.by, stop.said) == (number.name, f"stopped by {number.name}")
    assert signal.getsignal(number) is before


def test_a_person_who_asks_for_a_stop_is_told_apart_from_a_signal_that_comes_too(tmp_path: Path) -> None:
    (tmp_path / "stop.json").touch()
    with StopOnRequest(RunLayout(tmp_path)) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked()
    assert (stop.by, stop.said) == ("stop.json", "stopped on request")


class Spy(RunLog):
    """Remembers events and tells when there are `wanted` of them."""

    def __init__(self, wanted: int) -> None:
        super().__init__(None)
        self.seen: list[dict[str, Any]] = []
        self.wanted = wanted
        self.enough = threading.Event()

    def write(self, event: str, **fields: Any) -> None:
        self.seen.append({"event": event, **fields})
        if len(self.seen) >= self.wanted:
            self.enough.set()


def test_heartbeats_name_the_newest_step_and_end_with_the_run() -> None:
    log = Spy(wanted=3)
    heartbeat = Heartbeat(log, seconds=0.001)
    heartbeat.on_step_end(None, SimpleNamespace(global_step=7), None)
    with heartbeat:
        assert log.enough.wait(timeout=60)
    count = len(log.seen)
    assert log.seen[-1] == {"event": "heartbeat", "step": 7, "phase": "between steps"}
    assert not heartbeat._thread.is_alive()
    assert len(log.seen) == count


def test_the_log_of_other_ranks_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = RunLog(None)
    log.note("hello")
    log.end("finished")
    log.close()
    assert capsys.readouterr().out == ""
    assert json.dumps(list(tmp_path.iterdir())) == "[]"
