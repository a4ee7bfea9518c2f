"""How health findings are told while a run is followed, and at its end."""

from __future__ import annotations

from pathlib import Path

from tests.records import evaluated, plan, record, run_start, step
from vlmft_console.commands.progress import event_line
from vlmft_console.history.state import RunState
from vlmft_console.report.summary import summarise, summary_lines
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus

FOUND = {"rule": "eval_off_best", "step": 20, "message": "eval loss 1.2 is 33.3 % above its best 0.9 at step 10"}


def test_a_finding_is_one_line_with_its_advice() -> None:
    line = event_line(record("health", severity="stop", advice="Use checkpoint-10, the best.", **FOUND))
    assert line == (
        "health: stop: eval_off_best: eval loss 1.2 is 33.3 % above its best 0.9 at step 10."
        " Use checkpoint-10, the best."
    )


def test_a_finding_of_an_older_log_has_no_advice_and_an_ended_one_says_so() -> None:
    assert event_line(record("health", severity="caution", **FOUND)).endswith("at step 10")
    assert event_line(record("health", severity="ok", **FOUND)) == "health: eval_off_best is over at step 20"


def test_the_summary_lists_what_still_holds_with_its_advice(tmp_path: Path) -> None:
    state = RunState()
    losses = [1.0, 0.9, 0.95]
    found = [run_start(), plan(scheduler="constant", warmup_steps=0)]
    for index, loss in enumerate(losses):
        found += [step(10 * index + offset, 1.5 - 0.3 * index) for offset in range(1, 11)]
        found.append(evaluated(10 * index + 10, loss))
    for one in found:
        state.apply(one)
    figures = summarise(state, RunFolder(tmp_path), RunStatus("finished", ""))
    assert [(entry["rule"], entry["severity"]) for entry in figures["findings"]] == [("eval_off_best", "caution")]
    lines = summary_lines(figures, 60.0)
    at = next(index for index, line in enumerate(lines) if "health" in line)
    assert "caution: may overfit since step 20" in lines[at]
    assert "eval_off_best: eval loss 0.9500 is 5.6 % above its best 0.9000 at step 20" in lines[at + 1]
    assert "The best eval was at step 20" in lines[at + 2]


def test_a_loss_of_nothing_from_the_first_step_on_has_no_share_that_it_fell_by(tmp_path: Path) -> None:
    state = RunState()
    state.apply_all([run_start(), *(step(number, 0.0) for number in range(1, 5))])
    lines = summary_lines(summarise(state, RunFolder(tmp_path), RunStatus("finished", "")), 60.0)
    assert "  train loss     0 -> 0" in lines
