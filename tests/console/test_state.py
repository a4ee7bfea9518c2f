from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.console.states import content
from tests.records import evaluated, plan, record, run_start, step
from vlmft_console.history.metrics import MOST, TOO_MANY
from vlmft_console.history.state import RunState
from vlmft_core.run_folder.events import Record


def reduced(*records: Record) -> RunState:
    state = RunState()
    for item in records:
        state.apply(item)
    return state


def test_a_log_without_steps_promises_nothing() -> None:
    state = reduced(plan())
    assert state.step == 0
    assert state.eta_seconds is None
    assert state.best_eval is None
    assert state.mean_loss(first=True) is None


def test_time_left_follows_the_speed_of_the_last_steps() -> None:
    state = reduced(plan(total=100), *(step(number) for number in range(1, 41)))
    assert state.pulse.steps_per_second == pytest.approx(1.0)
    assert state.eta_seconds == pytest.approx(60.0)


def test_a_reboot_does_not_make_the_time_left_negative() -> None:
    state = reduced(plan(total=100), step(1), step(2), step(3, mono=0.5), step(4, mono=1.5))
    assert state.eta_seconds == pytest.approx(96.0)


def test_the_base_is_never_the_best_eval() -> None:
    evals = [
        record("eval", step=number, epoch=1.0, eval_loss=loss)
        for number, loss in [(0, 0.1), (10, 2.0), (20, 1.5), (30, None), (40, 1.6)]
    ]
    best = reduced(*evals).best_eval
    assert best is not None
    assert best["step"] == 20


def test_a_run_that_was_resumed_and_stopped_at_once_keeps_the_scores_of_its_adapter() -> None:
    asked = {"chartqa": {"relaxed_accuracy": 0.5}}
    end = record("run_end", status="stopped", reason="")
    state = reduced(run_start(), plan(), step(10), evaluated(10, 0.5, tasks=asked), end)
    state.apply_all([run_start(2, 10), end])
    assert state.tuned_scores == asked
    state.apply_all([run_start(3, 5)])  # from before that eval
    assert state.tuned_scores == {}


def test_base_and_tuned_scores_are_told_apart_by_their_step() -> None:
    state = reduced(
        record("eval", step=0, epoch=0.0, eval_loss=3.0, tasks={"chartqa": {"relaxed_accuracy": 0.2, "n": 10}}),
        record("eval", step=10, epoch=1.0, eval_loss=2.0),
        record("eval", step=10, epoch=1.0, eval_loss=2.0, tasks={"chartqa": {"relaxed_accuracy": 0.7, "n": 10}}),
    )
    assert state.base_scores["chartqa"]["relaxed_accuracy"] == 0.2
    assert state.tuned_scores["chartqa"]["relaxed_accuracy"] == 0.7


def test_a_step_that_is_not_finite_is_counted_and_left_out_of_the_mean() -> None:
    state = reduced(step(1, 2.0), step(2, None, nonfinite=["loss"]), step(3, 1.0))
    assert state.nonfinite_steps == 1
    assert state.mean_loss(first=False) == 1.0


def test_unknown_events_and_a_newer_version_are_survived() -> None:
    state = reduced({**record("novel"), "v": 2}, step(1))
    assert state.newer_version == 2
    assert state.step == 1


def test_a_resumed_run_has_not_ended() -> None:
    state = reduced(record("run_end", status="stopped"), record("run_start", run_id="x", segment=2))
    assert state.end is None


def test_a_value_the_log_does_not_know_leaves_no_gap_and_one_not_finite_does() -> None:
    state = reduced(step(1), step(2, None), step(3, None, nonfinite=["loss"]), step(4))
    assert list(state.train_loss) == [(1.0, 1.0), (3.0, None), (4.0, 1.0)]
    assert state.lr.last == (4.0, 1e-4)


def test_what_a_step_may_leave_out_is_drawn_where_it_is_there() -> None:
    state = reduced(step(1, step_s=2.0), step(2, mem_gib=40, step_s="long"), step(3, step_s=3.0, mem_gib=None))
    assert list(state.step_s) == [(1.0, 2.0), (3.0, 3.0)]
    assert list(state.mem_gib) == [(2.0, 40.0)]
    assert len(state.tokens_per_s) == 0


def test_a_resumed_segment_supersedes_steps_and_evals_that_it_repeats() -> None:
    state = reduced(
        run_start(1),
        *(step(number, 1.0) for number in range(1, 11)),
        evaluated(5, 0.9),
        evaluated(10, 0.1),
        run_start(2, resumed_from=6),
        *(step(number, 2.0) for number in range(7, 9)),
    )
    assert state.step == 8
    assert state.train_loss.last == (8.0, 2.0)
    assert [x for x, _ in state.train_loss.superseded] == [7.0, 8.0, 9.0, 10.0]
    assert [x for x, _ in state.eval_loss] == [5.0]
    assert [record["step"] for record in state.evals] == [5, 10]
    assert [record["step"] for record in state.current_evals] == [5]
    assert state.best_eval == state.evals[0]
    assert state.segments == [(1, 1), (2, 7)]


def test_between_a_resume_and_its_first_step_the_run_stands_where_it_resumed() -> None:
    state = reduced(plan(), *(step(number) for number in range(1, 11)), run_start(2, resumed_from=6))
    assert state.step == 6
    assert state.pulse.steps_per_second is None


def test_the_time_left_after_a_resume_counts_neither_the_pause_nor_the_steps_repeated() -> None:
    before = [step(number, mono=float(number)) for number in range(1, 51)]
    after = [step(number, mono=10_000.0 + 2 * number) for number in range(41, 51)]
    state = reduced(plan(total=100), run_start(1), *before, run_start(2, resumed_from=40), *after)
    assert state.eta_seconds == pytest.approx(100.0)


def test_steps_that_go_back_without_a_start_supersede_as_a_resume_does() -> None:
    state = reduced(step(1), step(2), step(3), evaluated(3, 0.5), step(2, 7.0))
    assert state.train_loss.last == (2.0, 7.0)
    assert state.superseded_evals == {0}
    assert state.step == 2


def test_an_imported_log_without_times_is_shown() -> None:
    state = reduced(*({**step(number), "t": None, "mono": None} for number in range(1, 5)))
    assert state.step == 4
    assert state.pulse.last_seen is None
    assert state.eta_seconds is None


def test_the_time_of_a_resumed_run_is_that_of_all_its_segments_without_the_pause() -> None:
    first = [{**run_start(1), "mono": 100.0}, step(1, mono=110.0), step(2, mono=130.0)]
    second = [{**run_start(2, resumed_from=2), "mono": 5000.0}, step(3, mono=5012.0)]
    assert reduced(*first).seconds == 30
    assert reduced(*first, second[0]).seconds == 30
    assert reduced(*first, *second).seconds == 42


def test_the_figures_of_a_step_from_before_a_resume_are_not_taken_for_newest() -> None:
    assert reduced(run_start(), step(1), run_start(2, resumed_from=1)).last_step is None


def test_the_latest_figures_of_the_gpus_are_kept() -> None:
    state = reduced(record("gpu", gpus=[{"index": 0, "util": 10}]), record("gpu", gpus=[{"index": 0, "util": 90}, 3]))
    assert [gpu["util"] for gpu in state.gpus] == [90]
    assert reduced(record("gpu", gpus="none")).gpus == ()


def test_which_record_raised_a_finding_is_known() -> None:
    state = reduced(plan(), step(1), step(2, None, nonfinite=["loss"]), step(3))
    raised = {finding.rule: number for finding, number in zip(state.findings, state.raised_at, strict=True)}
    assert raised["non_finite"] == 2


RECORDS = st.one_of(
    st.builds(
        lambda number, loss, mono: step(number, loss, mono=mono, nonfinite=["loss"] if loss is None else []),
        st.integers(1, 30),
        st.one_of(st.none(), st.floats(-1e299, 1e299)),
        st.one_of(st.none(), st.floats(0, 1e6)),
    ),
    st.builds(
        lambda number, value: step(number, step_s=value), st.integers(1, 30), st.sampled_from([1, 2.5, None, "x"])
    ),
    st.builds(lambda number, loss: evaluated(number, loss), st.integers(0, 30), st.floats(0, 10)),
    st.builds(
        lambda number, values: step(number, metrics=values, mfu=0.4),
        st.integers(1, 30),
        st.dictionaries(st.sampled_from(["reward", "mfu"]), st.one_of(st.none(), st.floats(-1e9, 1e9))),
    ),
    st.builds(lambda number: record("metrics", step=number, epoch=None, metrics={"reward": 1.0}), st.integers(0, 30)),
    st.builds(lambda number, mfu: step(number, mfu=mfu), st.integers(1, 30), st.sampled_from([None, 0.3, 1])),
    st.builds(lambda number: run_start(2, resumed_from=number), st.integers(0, 30)),
    st.sampled_from([plan(), record("note", message="n"), record("heartbeat", step=3), record("run_end", status="x")]),
)


@given(st.lists(RECORDS, max_size=40), st.lists(st.integers(1, 10)))
def test_records_taken_in_at_once_add_up_to_the_same_as_one_by_one(records: list[Record], sizes: list[int]) -> None:
    together, start = RunState(), 0
    for size in [*sizes, len(records)]:
        together.apply_all(records[start : start + size])
        start += size
    assert content(together) == content(reduced(*records))


def test_every_figure_beside_the_main_ones_is_a_curve_of_its_own_name() -> None:
    state = reduced(
        step(1, data_s=0.1, metrics={"reward": 0.5, "kl": None}),
        step(2, data_s=0.2, metrics={"reward": 0.7}),
        evaluated(2, 0.9, token_accuracy=0.8, tasks={"chartqa": {"relaxed_accuracy": 0.4, "n": 60}}),
        record("metrics", step=3, epoch=0.3, metrics={"eval_wer": 0.2}),
    )
    assert {name: list(series) for name, series in state.metrics.items()} == {
        "reward": [(1.0, 0.5), (2.0, 0.7)],
        "kl": [(1.0, None)],
        "eval_token_accuracy": [(2.0, 0.8)],
        "chartqa.relaxed_accuracy": [(2.0, 0.4)],
        "chartqa.n": [(2.0, 60.0)],
        "eval_wer": [(3.0, 0.2)],
    }
    assert list(state.by_name["data_s"]) == [(1.0, 0.1), (2.0, 0.2)]
    assert list(state.by_name)[:4] == ["loss", "lr", "grad_norm", "epoch"]
    assert state.step == 2


def test_a_resume_supersedes_metrics_too() -> None:
    before = [step(number, metrics={"reward": float(number)}) for number in range(1, 6)]
    state = reduced(run_start(1), *before, run_start(2, resumed_from=3), step(4, metrics={"reward": 40.0}))
    assert list(state.metrics["reward"]) == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 40.0)]
    assert list(state.metrics["reward"].superseded) == [(4.0, 4.0), (5.0, 5.0)]


def test_a_log_with_too_many_metrics_says_so_and_keeps_the_first() -> None:
    state = reduced(*(record("metrics", step=1, epoch=None, metrics={f"m{n}": 1.0}) for n in range(MOST + 5)))
    assert (len(state.metrics), state.notes) == (MOST, [TOO_MANY])
