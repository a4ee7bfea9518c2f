"""Properties of the health rules over any log: no crash, no dependence on pieces, bounded, finite advice."""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.health_records import record, start, step
from vlmft_core.health import STOP, Health
from vlmft_core.health.diagnosis import CAUSES
from vlmft_core.health.judge import KEPT
from vlmft_core.health.rules import RULES
from vlmft_core.health.thresholds import Thresholds
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.preset import Lora, Monitor, Preset, Training
from vlmft_core.run_folder.events import Record, parse

SETTINGS = Monitor(window=5, stall_steps=2.0, heartbeat_seconds=20.0)

numbers = st.one_of(
    st.none(),
    st.just(0),
    st.just(0.0),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(-1e299, 1e299, allow_nan=False),
    st.floats(0.01, 20, allow_nan=False),
)
places = st.integers(0, 60) | st.integers(0, 2**53 - 1)
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
names = st.lists(st.sampled_from(["loss", "grad_norm", "lr", "eval_loss", "x"]), max_size=3) | junk


def event(kind: str, required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    fields = {"v": st.just(1), "seq": places, "t": numbers, "event": st.just(kind), **required}
    return st.fixed_dictionaries(fields, optional={"mono": numbers | junk, **optional})


steps = event(
    "step",
    {"step": places, "epoch": numbers, "loss": numbers, "lr": numbers, "grad_norm": numbers},
    nonfinite=names,
    skipped_steps=st.integers(0, 40) | junk,
    step_s=numbers | junk,
    data_s=numbers | junk,
    metrics=st.dictionaries(st.sampled_from(["reward", "eval_wer", "x"]), numbers) | junk,
)
evals = event(
    "eval",
    {"step": places, "epoch": numbers, "eval_loss": numbers},
    nonfinite=names,
    token_accuracy=numbers | st.floats(0, 1) | junk,
    metrics=st.dictionaries(st.sampled_from(["rewards/chosen", "eval_wer", "x"]), numbers) | junk,
    tasks=st.fixed_dictionaries(
        {"chartqa": st.fixed_dictionaries({"relaxed_accuracy": numbers | st.floats(0, 1) | junk})}
    )
    | junk,
)
others = st.one_of(
    event(
        "plan",
        {"total_steps": places, "steps_per_epoch": places, "warmup_steps": places, "peak_lr": numbers},
        scheduler=st.sampled_from(["cosine", "linear", "constant"]) | junk,
        trainable_params=numbers | junk,
    ),
    event(
        "run_start",
        {"run_id": st.text(max_size=3), "segment": places},
        resumed_from=st.integers(0, 60) | junk,
        preset=st.just(Preset().model_dump(mode="json")) | junk,
    ),
    event("checkpoint", {"step": places, "path": st.text(max_size=3)}, kept=st.lists(places, max_size=4) | junk),
    event("heartbeat", {"step": places}, phase=st.just("step") | junk),
    event("note", {"message": st.text(max_size=3)}),
    event("run_end", {"status": st.text(max_size=3)}, reason=junk),
    event("unheard_of", {}),
)


def accepted(raw: dict[str, Any]) -> Record | None:
    try:
        return parse(orjson.dumps(raw))
    except ValueError:
        return None


records = (steps | steps | evals | others).map(accepted).filter(lambda one: one is not None)
logs = st.lists(records, max_size=60)


@st.composite
def trainings(draw: st.DrawFn) -> list[Record]:
    """Plausible logs, in which the rules really fire: several segments of steps and evals in order."""
    found: list[Record] = start()
    at = 0
    for _ in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(1, 25))):
            at += 1
            loss, norm = draw(st.floats(0, 9)), draw(st.sampled_from([0.5, 0.5, 3.0, 30.0]))
            skipped = draw(st.sampled_from([0, 0, 0, 1, 2, 5]))
            found.append(step(at, loss=loss, grad_norm=norm, skipped_steps=skipped, data_s=draw(st.floats(0, 1))))
            if draw(st.booleans()):
                accuracy = draw(st.floats(0, 1))
                evaluated = draw(st.floats(0.5, 3))
                found.append(record("eval", step=at, epoch=at / 20, eval_loss=evaluated, token_accuracy=accuracy))
            if draw(st.integers(0, 9)) == 0:
                found.append(record("heartbeat", step=at, mono=at + draw(st.floats(0, 50)), phase="step"))
        resumed = draw(st.integers(0, at))
        found += start(resumed_from=resumed)
        at = resumed
    return found


@settings(max_examples=150)
@given(log=logs | trainings())
def test_any_log_is_judged_without_a_crash_and_its_changes_add_up_to_its_findings(log: list[Record]) -> None:
    health = Health(SETTINGS)
    seen = {}
    for one in log:
        for finding in health.feed(one):
            assert 0 < len(finding.message + finding.advice.text) < 700
            assert finding.severity in ("caution", "stop")
            seen[finding.number] = finding
    assert [seen[number] for number in range(len(health.findings))] == health.findings
    active = [finding.rule for finding in health.active]
    assert len(active) == len(set(active))
    assert sorted(rule for each in health.diagnoses for rule in each.rules) == sorted(active)
    for each in health.diagnoses:
        assert 0 < len(each.sentence + each.advice.text) < 600
    assert [finding.number for finding in health.findings] == list(range(len(health.findings)))


@settings(max_examples=100)
@given(log=logs | trainings(), cuts=st.lists(st.integers(0, 60), max_size=5))
def test_a_log_fed_at_once_or_in_pieces_with_copies_between_gives_the_same_findings(
    log: list[Record], cuts: list[int]
) -> None:
    straight, copied = Health(SETTINGS), Health(SETTINGS)
    left_behind: list[tuple[Health, list[Any]]] = []
    for index, one in enumerate(log):
        if index in cuts:
            left_behind.append((copied, list(copied.findings)))
            copied = copy.deepcopy(copied)
        assert straight.feed(one) == copied.feed(one)
    assert straight.findings == copied.findings
    assert all(health.findings == findings for health, findings in left_behind)


OVERFITTING = [
    *(step(number, loss=1.0) for number in range(901, 911)),
    record("eval", step=910, epoch=9.1, eval_loss=0.1),
    *(step(number, loss=0.5) for number in range(911, 921)),
    record("eval", step=920, epoch=9.2, eval_loss=9.0),
    *(step(number, loss=0.4) for number in range(921, 931)),
    record("eval", step=930, epoch=9.3, eval_loss=9.0),
]
"""Steps and evals after any of those, which end far off the best."""


@st.composite
def long_trainings(draw: st.DrawFn) -> list[Record]:
    """Long stretches of ordinary steps, broken by whatever else there is."""
    log, at, seconds = start(), 0, 0.0
    fields = {"data_s": 0.01, "step_s": 1.0, "skipped_steps": 0}
    for key in draw(st.sets(st.sampled_from([*fields]))):
        del fields[key]
    for _ in range(draw(st.integers(1, 6))):
        loss, norm, epochs = draw(st.sampled_from([0.5, 5.9, 6.1])), draw(st.sampled_from([0.5, 1.9])), draw(places)
        rate, pause = draw(st.sampled_from([0.0, 1e-4, 2e-4])), draw(st.sampled_from([0.5, 4.0, 25.0]))
        slow = {key: value * draw(st.sampled_from([1, 1, 60])) for key, value in fields.items()}
        clock = draw(st.booleans())
        for number in range(draw(st.integers(1, 120))):
            at, seconds = at + 1, seconds + pause
            epoch = min(epochs, 3) / 3 + at / 200
            ordinary = {"loss": loss, "lr": rate, "grad_norm": norm + number % 7 / 100, "epoch": epoch, **slow}
            log.append(step(at, **ordinary, mono=seconds if clock else None))
            if number % 20 == 10:
                log.append(
                    record("heartbeat", step=at, mono=seconds + draw(st.sampled_from([0.1, 15.0])), phase="step")
                )
        log += draw(st.lists(records, max_size=2))
    return log


@settings(max_examples=150)
@given(log=long_trainings() | logs | trainings(), size=st.integers(1, 300), monitor=st.sampled_from([None, SETTINGS]))
def test_many_records_at_once_are_judged_exactly_as_one_by_one(
    log: list[Record], size: int, monitor: Monitor | None
) -> None:
    single, batched = Health(monitor), Health(monitor)
    for at in range(0, len(log), size):
        piece = log[at : at + size]
        one_by_one = [(index, changed) for index, one in enumerate(piece) if (changed := single.feed(one))]
        assert batched.feed_all(piece) == one_by_one
        assert batched.diagnoses == single.diagnoses
        assert batched.unjudged == single.unjudged
    assert batched.findings == single.findings


def test_the_usual_thresholds_are_the_defaults_of_the_preset() -> None:
    assert asdict(Thresholds()) == Monitor().model_dump(exclude={"early_stop"})


@settings(max_examples=100)
@given(
    log=trainings(),
    rate=st.floats(1e-6, 1e-2),
    decay=st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.3]),
    dropout=st.sampled_from([0.0, 0.05, 0.1, 0.5]),
    rank=st.sampled_from([4, 16, 32, 128]),
)
def test_advice_makes_a_valid_preset_and_goes_the_way_its_rule_asks_for(
    log: list[Record], rate: float, decay: float, dropout: float, rank: int
) -> None:
    preset = Preset(
        training=Training(learning_rate=rate, weight_decay=decay), lora=Lora(r=rank, alpha=2 * rank, dropout=dropout)
    )
    own = preset.model_dump(mode="json")
    health = Health(SETTINGS)
    for one in [*log, *OVERFITTING]:
        health.feed(one | {"preset": own} if one["event"] == "run_start" else one)
        rates = [dict(finding.advice.changes).get("training.learning_rate") for finding in health.active]
        assert len({value > rate for value in rates if isinstance(value, float)}) < 2
    for finding in health.findings:
        changed = preset.model_dump()
        for key, value in finding.advice.changes:
            section, _, name = key.partition(".")
            before = changed[section][name]
            if key == "lora.target_modules":
                assert set(before) < set(value)  # type: ignore[call-overload]
            elif key == "training.epochs" and finding.rule != "underfit":
                assert 1 < value < before  # type: ignore[operator]
            elif key == "training.learning_rate" and finding.rule not in ("loss_high", "underfit"):
                assert 0 < value < before  # type: ignore[operator]
            else:
                assert value > before  # type: ignore[operator]
            changed[section][name] = value
        Preset.model_validate(changed)
    (overfitted,) = (finding for finding in health.active if finding.rule == "eval_off_best")
    advised = {"training.learning_rate"}
    if decay < 0.05:
        advised.add("training.weight_decay")
    if dropout < 0.1:
        advised.add("lora.dropout")
    if any(finding.rule == "loss_exploded" and finding.severity == STOP for finding in health.active):
        advised = set()  # no cure for overfitting beside it
    assert {key for key, _ in overfitted.advice.changes} - {"training.epochs"} == advised


@settings(max_examples=100)
@given(
    total=st.integers(1, 400),
    warmup=st.floats(0, 1),
    scheduler=st.sampled_from(["cosine", "linear", "constant"]),
    every=st.integers(1, 30),
    off=st.lists(st.floats(-0.03, 0.03), min_size=1, max_size=40),
)
def test_the_rate_is_off_the_plan_exactly_where_the_formula_says_so(
    total: int, warmup: float, scheduler: str, every: int, off: list[float]
) -> None:
    plan = RatePlan(total, int(warmup * total), 1.0, scheduler)
    health = Health()
    health.feed(record("plan", steps_per_epoch=1000, **plan._asdict()))
    for index, at in enumerate(range(1, total + 1, every)):
        apart = off[index % len(off)]
        rate = planned_rate(plan, at) + apart
        health.feed(step(at, lr=rate))
        if abs(abs(apart) - 0.01) > 1e-9:
            assert bool(health.active) == (abs(apart) > 0.01)


def test_findings_and_memory_stay_bounded_however_often_a_rule_fires() -> None:
    health = Health(SETTINGS)
    for number in range(1, 4000):
        health.feed(step(number, skipped_steps=number // 20))
    found = [finding for finding in health.findings if finding.rule == "non_finite"]
    assert len(found) == KEPT
    assert (found[-1].step, found[-1].active) == (3980, False)
    health.feed(step(4000, skipped_steps=200))
    assert health.active == [health.findings[-1]]


def test_every_rule_has_its_own_name_and_a_cause() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(CAUSES)
