from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from tests.records import plan, record, step
from vlmft_console.commands.progress import BarDisplay, JsonDisplay, PlainDisplay, event_line
from vlmft_console.history.state import RunState


def test_plain_output_names_evals_checkpoints_and_the_last_step() -> None:
    out, state = io.StringIO(), RunState()
    display = PlainDisplay(out)
    new = [
        plan(total=2),
        step(1),
        step(2, 0.5),
        record(
            "eval",
            step=2,
            epoch=1.0,
            eval_loss=0.75,
            token_accuracy=0.5,
            tasks={"chartqa": {"relaxed_accuracy": 0.6}},
        ),
        record("checkpoint", step=2, path="checkpoint-2"),
    ]
    for item in new:
        state.apply(item)
    display.tell(new)
    display.update(state)
    shown = out.getvalue()
    assert "plan: 2 steps" in shown
    assert "step 2/2  loss 0.5" in shown
    assert "eval at step 2: loss 0.7500, token accuracy 50.0 %, chartqa 60.0 %" in shown
    assert "checkpoint at step 2" in shown


def test_text_from_the_log_never_reaches_the_terminal_as_it_is() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    display = BarDisplay(console)
    message = "\x1b]0;title\x07 [red]bold[/red] [@click=app.quit]x[/]"
    new = [record("note", message=message), record("note", message="\x1b[2J")]
    display.tell(new)
    display.update(RunState())
    display.close()
    shown = out.getvalue()
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown
    assert "[red]bold[/red] [@click=app.quit]x[/]" in shown


def test_json_output_is_one_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    JsonDisplay().tell([step(1), step(2)])
    assert [json.loads(line)["step"] for line in capsys.readouterr().out.splitlines()] == [1, 2]


def test_a_loss_that_is_not_finite_reads_nan() -> None:
    assert "loss nan" in event_line(record("eval", step=1, epoch=1.0, eval_loss=None, nonfinite=["eval_loss"]))


def test_an_eval_that_measured_no_loss_shows_none() -> None:
    scores = {"chartqa": {"relaxed_accuracy": 0.25, "n": 4}}
    line = event_line(record("eval", step=0, epoch=0.0, eval_loss=None, tasks=scores))
    assert line == "eval at step 0: chartqa 25.0 % [4.6, 69.9]"


def test_a_long_count_is_whole_on_a_narrow_terminal() -> None:
    out, state = io.StringIO(), RunState()
    display = BarDisplay(Console(file=out, force_terminal=True, color_system=None, width=60))
    for item in (plan(total=1_000_000), step(123_456, 0.5)):
        state.apply(item)
    display.update(state)
    display.close()
    assert "training 123456/1000000  loss 0.5" in out.getvalue()
