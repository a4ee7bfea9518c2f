"""The diagnosis of a run: one sentence for one cause, its evidence, and one advice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.health_records import evaluated, judged, only, record, rules, start, step, with_evals
from vlmft_core.preset import Evaluation, Preset, Training
from vlmft_core.run_folder.events import Record


def broken(first: int, last: int, **fields: Any) -> list[Record]:
    odd = {"grad_norm": None, "nonfinite": ["grad_norm"]} | fields
    return [step(number, **odd) for number in range(first, last + 1)]


def test_a_healthy_run_has_none() -> None:
    assert judged(with_evals([1.6, 1.3, 1.1, 1.0, 0.95])).diagnoses == []


def test_the_findings_of_overfitting_are_one_sentence_with_evidence_and_one_advice() -> None:
    health = judged(with_evals([1.6, 1.0, 1.2, 1.5, 1.9], train=[1.5, 1.0, 0.6, 0.3, 0.1]))
    assert set(rules(health)) == {"eval_off_best", "eval_rising", "gap"}
    (found,) = health.diagnoses
    assert (found.cause, found.severity, found.step, found.epoch) == ("overfitting", "stop", 20, 2.0)
    assert found.sentence == (
        "overfits since step 20 (epoch 2 of 6): eval loss 1.000 -> 1.900 (+90.0 %), train loss 1.000 -> 0.1000"
    )
    assert found.rules == ("eval_off_best", "eval_rising", "gap")
    assert found.evidence[1] == "eval loss rose 3 evals in a row, to 1.900, 90.0 % above its best 1.000 at step 20"
    assert found.advice.text.startswith(
        "The best eval was at step 20 (loss 1.000, epoch 2.0). For the next run: 2 or 3 epochs"
    )


def test_a_best_eval_late_in_the_training_asks_for_no_fewer_epochs() -> None:
    short = start(preset=Preset(training=Training(epochs=5))) + with_evals([1.6, 1.3, 1.1, 1.0, 1.4])[2:]
    (found,) = judged(short).diagnoses
    assert "training.epochs" not in dict(found.advice.changes)
    long = start(preset=Preset(training=Training(epochs=24))) + with_evals([1.6, 1.3, 1.1, 1.0, 1.4])[2:]
    (found,) = judged(long).diagnoses
    assert dict(found.advice.changes)["training.epochs"] == 5
    assert "4 or 5 epochs" in found.advice.text


def test_a_run_that_diverged_has_one_diagnosis_and_no_cure_for_anything_else() -> None:
    log = [*with_evals([1.6, 1.0, 1.5, 1.9]), *broken(41, 60), evaluated(60, 2.4, epoch=6.0)]
    health = judged(log)
    assert len(health.active) > 2
    (found,) = health.diagnoses
    assert (found.cause, found.severity, found.step) == ("diverged", "stop", 41)
    assert found.sentence == "diverged at step 41: 20 of 60 logged steps not finite, never recovered"
    assert {key for key, _ in found.advice.changes} == {"training.learning_rate"}
    for finding in health.active:
        assert {key for key, _ in finding.advice.changes} <= {"training.learning_rate"}
        assert "dropout" not in finding.advice.text


def test_a_train_loss_that_exploded_is_a_divergence_and_has_no_cure_for_overfitting_beside_it() -> None:
    log = with_evals([1.6, 1.0, 1.2, 1.5, 1.9], train=[1.5, 1.0, 0.6, 0.3, 0.1])
    log = [*log, *(step(number, loss=7.0, grad_norm=0.5) for number in range(51, 111))]
    (found,) = judged(log).diagnoses
    assert (found.cause, found.severity) == ("diverged", "stop")
    assert found.rules[0] == "loss_exploded"
    assert {"eval_off_best", "eval_rising"} <= set(found.rules)
    assert set(dict(found.advice.changes)) == {"training.learning_rate"}


def test_the_findings_told_before_a_divergence_lose_their_cures_when_it_comes() -> None:
    before = with_evals([1.6, 1.0, 1.5, 1.9])
    assert "dropout" in judged(before).diagnoses[0].advice.text
    after = judged([*before, *broken(41, 44)])
    assert not [finding for finding in after.active if "dropout" in finding.advice.text]


def test_a_run_that_recovered_is_not_said_to_be_lost() -> None:
    (found,) = judged([*start(), *(step(number) for number in range(1, 31)), *broken(31, 34), step(35)]).diagnoses
    assert found.sentence == "diverged at step 31: 4 of 35 logged steps not finite"


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ([], "begin anew: no checkpoint is from before it"),
        ([40], "begin anew: no checkpoint is from before it"),
        ([10, 20, 40], "resume from checkpoint-20"),
    ],
)
def test_a_checkpoint_is_advised_only_if_there_is_one_from_before_the_divergence(kept: list[int], text: str) -> None:
    saved = [record("checkpoint", step=40, path="checkpoint-40", kept=kept)] if kept else []
    log = [*start(), *(step(number) for number in range(1, 31)), *broken(31, 40), *saved, *broken(41, 50)]
    (found,) = judged(log).diagnoses
    assert text in found.advice.text


@pytest.mark.parametrize(("planned", "reached", "advised"), [(1.0, 0.2, 0.1), (4e-5, 4e-5, 3e-5), (4e-5, 1e-5, 5e-6)])
def test_the_advised_rate_is_below_the_planned_peak_and_below_the_one_it_broke_at(
    planned: float, reached: float, advised: float
) -> None:
    preset = Preset(training=Training(learning_rate=planned))
    log = [*start(preset=preset)[:1], *(step(n, lr=reached) for n in range(1, 8)), *broken(8, 20, lr=reached)]
    (found,) = judged(log).diagnoses
    assert dict(found.advice.changes) == {"training.learning_rate": advised}


def test_causes_that_have_nothing_to_do_with_each_other_are_told_apart_the_gravest_first() -> None:
    slow = [one | {"data_s": 0.5} if one["event"] == "step" else one for one in with_evals([1.6, 1.0, 1.5, 1.9, 2.0])]
    assert [(one.cause, one.severity) for one in judged(slow).diagnoses] == [
        ("overfitting", "stop"),
        ("slow data", "caution"),
    ]


def test_a_single_finding_is_its_own_sentence() -> None:
    (found,) = judged(start() + [step(number, loss=7.0) for number in range(1, 221)]).diagnoses
    assert (found.cause, found.sentence, found.evidence) == (
        "not learning",
        "train loss 7.000 after the first epoch, above 6",
        (),
    )


OWN = {"best_metric": {"name": "eval_wer", "value": 0.2, "step": 50}}


def test_a_run_whose_own_metric_is_at_its_best_is_cautioned_and_told_so() -> None:
    log = with_evals([1.0, 0.9, 1.2, 1.5, 1.9])
    assert "stop" in rules(judged(log)).values()
    tracked = judged([log[0], log[1] | OWN, *log[2:]])
    assert set(rules(tracked).values()) == {"caution"}
    (found,) = tracked.diagnoses
    assert "eval_wer, the run's own metric, is at its best" in found.sentence
    assert "dropout" not in found.advice.text
    later = [*log, *(step(number, loss=0.1, epoch=6.0) for number in range(51, 61)), evaluated(60, 2.0, epoch=6.0)]
    assert "stop" in rules(judged([later[0], later[1] | OWN, *later[2:]])).values()


def test_a_run_that_tracks_its_loss_is_judged_by_it() -> None:
    log = with_evals([1.0, 0.9, 1.2, 1.5, 1.9])
    own = {"best_metric": {"name": "eval_loss", "value": 0.9, "step": 50}}
    assert "stop" in rules(judged([log[0], log[1] | own, *log[2:]])).values()


def test_our_own_metric_is_the_presets() -> None:
    preset = Preset(evaluation=Evaluation(metric_for_best_model="token_accuracy"))
    log = [*start(preset=preset), *with_evals([1.0, 0.9, 1.2, 1.5, 1.9])[2:]]
    evals = [one for one in log if one["event"] == "eval"]
    for index, one in enumerate(evals):
        one["token_accuracy"] = 0.5 + index / 10
    assert set(rules(judged(log)).values()) == {"caution"}
    evals[-1]["token_accuracy"] = 0.1
    assert "stop" in rules(judged(log)).values()


def foreign(log: list[Record]) -> list[Record]:
    """As another program's log tells it."""
    return [record("run_start", run_id="x", segment=1)] + [one for one in log if one["event"] in ("step", "eval")]


def test_losses_on_another_scale_are_not_held_against_absolute_limits() -> None:
    high = foreign(with_evals([9.0, 8.0, 7.8, 7.7], [8.0, 7.5, 7.2, 6.5], every=60))
    assert set(rules(judged(high))) == {"loss_high", "gap"}
    ctc = [
        one | {key: 20 * one[key] for key in ("loss", "eval_loss") if key in one} if "step" in one else one
        for one in high
    ]
    assert judged(ctc).findings == []
    summed = [
        one | {"loss": 8 * one["loss"]} if one["event"] == "step" else one
        for one in foreign(with_evals([1.2, 1.1, 1.0, 0.9], [1.1, 1.0, 0.95, 0.9], every=60))
    ]
    assert judged(summed).active == []


@pytest.mark.parametrize("name", ["eval_wer", "eval/mse", "eval_pearsonr"])
def test_the_metrics_of_another_task_tell_another_kind_of_loss(name: str) -> None:
    high = foreign(with_evals([9.0, 8.0, 7.8, 7.7], [8.0, 7.5, 7.2, 6.5], every=60))
    other = [one | {"metrics": {name: 0.5}} if one["event"] == "eval" else one for one in high]
    assert judged(other).active == []


@pytest.mark.parametrize("name", ["reward", "rewards/chosen", "train/reward_std", "objective/kl", "kl"])
def test_a_training_by_reward_gets_no_verdict_on_its_evals(name: str) -> None:
    log = foreign(with_evals([1.0, 0.9, 1.2, 1.5, 1.9]))
    assert "stop" in rules(judged(log)).values()
    rewarded = judged([one | {"metrics": {name: 0.5}} if one["event"] == "step" else one for one in log])
    assert rewarded.findings == []
    assert rewarded.unjudged == f"the training goes by reward or preference (it logs {name})"
    empty = judged([one | {"metrics": {name: None}} if one["event"] == "step" else one for one in log])
    assert "stop" in rules(empty).values()


def test_losses_near_zero_and_below_it_get_no_verdict() -> None:
    tiny = judged(foreign(with_evals([3e-4, 2e-4, 5e-4, 6e-4, 9e-4])))
    assert (tiny.findings, tiny.unjudged) == (
        [],
        "the eval loss is below 0.001: changes of so small a loss say nothing",
    )
    assert "stop" in rules(judged(foreign(with_evals([3e-4, 2e-4, 5e-2, 0.3, 0.9])))).values()
    negative = judged(foreign(with_evals([-1.0, -2.0, -1.5, -1.2, -0.5])))
    assert (negative.findings, "below 0" in negative.unjudged) == ([], True)


def test_where_a_log_names_no_steps_findings_and_diagnoses_count_records() -> None:
    counted = record("note", message="no steps", counted="records")
    health = judged([counted, *with_evals([1.0, 0.9, 1.3, 1.5])])
    assert health.unit == "record"
    assert "at record 20" in only(health, "eval_off_best").message
    assert health.diagnoses[0].sentence.startswith("overfits since record 20")
    assert "step 20" not in health.diagnoses[0].advice.text
