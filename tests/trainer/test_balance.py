"""Micro-batches: the same effective batches whatever the ranks, shared out evenly, each sample once an epoch."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_trainer.data.order import MicroBatches, MicroBatchLoader
from vlmft_trainer.data.prefixes import Groups, Prefix, find_groups

ORDERS = {
    True: [[0, 10], [8, 6], [2, 4], [3, 7], [5], [9, 1]],
    False: [[0, 8], [6, 10], [2, 3], [4, 7], [5], [9, 1]],
}
"""Micro-batches that runs had before there were groups, by whether their rows are packed."""

CHART_LENGTHS = [random.Random(number).randint(650, 1050) for number in range(1000)]


def ranks(lengths: list[int], world: int, *, epoch: int = 0, **options: Any) -> list[list[list[int]]]:
    """Each rank's micro-batches of an epoch."""
    found = []
    for rank in range(world):
        order = MicroBatches(lengths, rank=rank, world=world, seed=3, **options)
        order.set_epoch(epoch)
        found.append(list(order))
        assert len(found[-1]) == len(order)
    return found


def steps(found: list[list[list[int]]], accumulation: int) -> list[list[int]]:
    """The samples of each optimizer step over all ranks, sorted."""
    count = len(found[0])
    starts = range(0, count, accumulation)
    return [
        sorted(i for mine in found for batch in mine[start : start + accumulation] for i in batch) for start in starts
    ]


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=60),
    world=st.sampled_from([1, 2, 4]),
    micro=st.integers(1, 4),
    accumulation=st.integers(1, 3),
    packed=st.booleans(),
)
def test_every_sample_comes_once_and_all_ranks_have_as_many_micro_batches(
    lengths: list[int], world: int, micro: int, accumulation: int, packed: bool
) -> None:
    batch = world * micro * accumulation
    found = ranks(lengths, world, effective_batch=batch, micro_batch=micro, packed=packed)
    assert len({len(mine) for mine in found}) == 1
    everything = [index for mine in found for one in mine for index in one]
    assert sorted(everything) == list(range(len(lengths)))
    assert all(len(one) <= micro for mine in found for one in mine)
    assert [len(one) for one in steps(found, accumulation)[:-1]] == [batch] * (
        len(lengths) // batch - (len(lengths) % batch == 0)
    )


@pytest.mark.parametrize("packed", [False, True])
def test_a_step_has_the_same_samples_however_many_ranks_share_it(packed: bool) -> None:
    found = {}
    for world, micro in ((1, 8), (2, 4), (8, 1), (4, 2), (1, 1)):
        batches = ranks(CHART_LENGTHS, world, effective_batch=8, micro_batch=micro, packed=packed)
        found[world, micro] = steps(batches, 8 // (world * micro))
    assert all(one == found[1, 8] for one in found.values())


@pytest.mark.parametrize(
    ("world", "micro", "packed", "shared"),
    [
        (1, 8, False, False),
        (2, 4, False, False),
        (2, 4, True, False),
        (4, 1, True, True),
        (2, 2, True, True),
    ],
)
def test_what_is_said_of_a_step_is_what_the_ranks_go_through(
    world: int, micro: int, packed: bool, shared: bool
) -> None:
    lengths, groups = charts(83)
    options: dict[str, Any] = {"effective_batch": 16, "micro_batch": micro, "packed": packed}
    options |= {"groups": groups} if shared else {}
    accumulation, order = 16 // (world * micro), MicroBatches(lengths, world=world, seed=3, **options)
    step = 0
    for epoch in range(3):
        found = ranks(lengths, world, epoch=epoch, **options)
        for start in range(0, len(found[0]), accumulation):
            step += 1
            turns = [
                mine[number] for number in range(start, min(start + accumulation, len(found[0]))) for mine in found
            ]
            assert order.of_step(step) == turns
    assert step == 3 * 6


def test_epochs_differ_and_repeat_from_the_seed() -> None:
    options = {"effective_batch": 8, "micro_batch": 2, "packed": True}
    first, second = (ranks(CHART_LENGTHS, 2, epoch=epoch, **options) for epoch in (0, 1))
    assert first != second
    assert first == ranks(CHART_LENGTHS, 2, epoch=0, **options)


def test_ranks_get_as_many_tokens_at_a_time() -> None:
    """Eight ranks with four chart samples each wait for one another less than 1 % of the time; in the order of the
    data it is 9 %."""

    def waiting(batches: list[list[list[int]]]) -> float:
        tokens = [[sum(CHART_LENGTHS[index] for index in one) for one in mine] for mine in batches]
        slowest = sum(max(mine[round_] for mine in tokens) for round_ in range(len(tokens[0])))
        return 1 - sum(map(sum, tokens)) / len(tokens) / slowest

    whole = CHART_LENGTHS[:960]
    assert waiting(ranks(whole, 8, effective_batch=128, micro_batch=4, packed=True)) < 0.01
    unsorted = [
        [list(range(start + 4 * rank, start + 4 * rank + 4)) for start in range(0, 960, 32)] for rank in range(8)
    ]
    assert waiting(unsorted) > 0.05


def test_padded_micro_batches_bring_samples_of_like_length_together() -> None:
    (mine,) = ranks(CHART_LENGTHS, 1, effective_batch=128, micro_batch=4, packed=False)
    padded = sum(len(one) * max(CHART_LENGTHS[index] for index in one) for one in mine)
    assert padded < 1.01 * sum(CHART_LENGTHS)


def test_a_rank_that_is_left_without_a_sample_gets_an_empty_micro_batch() -> None:
    found = ranks([5, 6, 7], 4, effective_batch=8, micro_batch=2, packed=True)
    assert sorted(len(one) for mine in found for one in mine) == [0, 1, 1, 1]


def test_the_heaviest_micro_batches_of_packed_rows_run_first_and_at_one_time() -> None:
    found = ranks(CHART_LENGTHS[:128], 4, effective_batch=128, micro_batch=4, packed=True)
    at_one_time = [[sum(CHART_LENGTHS[index] for index in one) for one in micro] for micro in zip(*found, strict=True)]
    flat = [tokens for micro in at_one_time for tokens in micro]
    assert len(flat) == 32
    assert flat == sorted(flat, reverse=True)
    assert flat[0] > flat[-1]


def test_the_loader_gives_each_epoch_the_order_that_is_its_own() -> None:
    def batches(epoch: int) -> list[list[int]]:
        order = MicroBatches(CHART_LENGTHS[:64], effective_batch=8, micro_batch=2, packed=True, seed=3)
        order.set_epoch(epoch)
        return list(order)

    order = MicroBatches(CHART_LENGTHS[:64], effective_batch=8, micro_batch=2, packed=True, seed=3)
    loader: MicroBatchLoader = MicroBatchLoader(list(range(64)), batch_sampler=order, collate_fn=list)  # type: ignore[arg-type]
    for epoch in (0, 1, 5, 0):  # as transformers' Trainer does at the start of each
        loader.set_epoch(epoch)
        assert list(loader) == batches(epoch)
    assert batches(0) != batches(1) != batches(5)


def charts(count: int) -> tuple[list[int], Groups]:
    """Lengths and groups of `count` questions, one to three about a chart of 600 to 950 tokens."""
    chance = random.Random(7)
    lengths: list[int] = []
    prefixes: list[Prefix] = []
    for chart in itertools.count():
        tokens = chance.randint(600, 950)
        for _ in range(chance.choice([1, 1, 1, 2, 2, 3])):
            prefixes.append(Prefix(str(chart).encode(), tokens))
            lengths.append(tokens + chance.randint(20, 60))
        if len(lengths) >= count:
            break
    mixed = chance.sample(range(count), count)
    return [lengths[one] for one in mixed], find_groups([prefixes[one] for one in mixed], range(count))


def row_tokens(batch: list[int], lengths: list[int], groups: Groups) -> int:
    """Tokens of a row that holds each beginning once."""
    alone = len({groups.first[index] for index in batch})
    once = {groups.first[index]: groups.shared[index] for index in batch}
    assert len(once) == alone
    return sum(lengths[index] - groups.shared[index] for index in batch) + sum(once.values())


@pytest.mark.parametrize(("world", "micro"), [(1, 4), (8, 4), (2, 2), (8, 1)])
def test_the_questions_of_an_image_come_together_and_ranks_still_get_as_many_tokens(world: int, micro: int) -> None:
    lengths, groups = charts(1000)
    found = ranks(lengths, world, effective_batch=128, micro_batch=micro, packed=True, groups=groups)
    everything = [batch for mine in found for batch in mine]
    assert sorted(index for batch in everything for index in batch) == list(range(1000))
    whole = 128 * 7
    steps_of = steps(found, 128 // (world * micro))
    assert [len(one) for one in steps_of] == [128] * 7 + [1000 - whole]
    if micro > 1:
        apart = sum(len({groups.first[index] for index in batch}) for batch in everything) - groups.images
        assert apart == 0
    rows = [[row_tokens(batch, lengths, groups) for batch in mine] for mine in found]
    full = [[mine[number] for mine in rows] for number in range(7 * 128 // (world * micro))]
    waiting = 1 - sum(map(sum, full)) / world / sum(map(max, full))
    assert waiting < 0.04 or micro == 1
    plain = ranks(lengths, world, effective_batch=128, micro_batch=micro, packed=True)
    largest = max(sum(lengths[index] for index in batch) for mine in plain for batch in mine)
    assert max(map(max, rows)) <= largest


def test_groups_come_in_another_order_each_epoch_and_large_ones_no_earlier() -> None:
    prefixes = [Prefix(b"large", 9)] * 5 + [Prefix(b"%d" % one, 9) for one in range(5)]
    groups = find_groups(prefixes, range(10))
    first = []
    for epoch in range(300):
        (mine,) = ranks([10] * 10, 1, epoch=epoch, effective_batch=1, micro_batch=1, packed=True, groups=groups)
        first.append(groups.first[mine[0][0]] == 0)
    assert 0.1 < sum(first) / 300 < 0.24  # one of six


def test_an_effective_batch_that_no_group_fits_cuts_one() -> None:
    groups = find_groups([Prefix(b"%d" % (one // 3), 9) for one in range(12)], range(12))
    (mine,) = ranks([10] * 12, 1, effective_batch=4, micro_batch=4, packed=True, groups=groups)
    assert [len(batch) for batch in mine] == [4, 4, 4]
    assert sorted(index for batch in mine for index in batch) == list(range(12))


def test_more_questions_than_a_micro_batch_has_tokens_for_are_taken_apart() -> None:
    groups = find_groups([Prefix(b"one", 90)] * 8, range(8))
    (mine,) = ranks([100] * 8, 1, effective_batch=8, micro_batch=2, packed=True, groups=groups)
    assert [row_tokens(batch, [100] * 8, groups) for batch in mine] == [170, 0, 0, 0]
    (mine,) = ranks([100] * 8, 1, effective_batch=8, micro_batch=1, packed=True, groups=groups)
    assert [len(batch) for batch in mine] == [1] * 8


def test_a_sample_that_comes_twice_in_an_epoch_is_not_twice_in_a_group() -> None:
    groups = find_groups([Prefix(b"one", 9)] * 4, ["a", "b", "a", "b"])
    assert groups.first == [0, 0, 2, 2]
    assert find_groups([Prefix()] * 3, "abc").first == [0, 1, 2]


def test_without_groups_the_order_is_the_one_that_earlier_runs_had() -> None:
    lengths = [9, 3, 7, 7, 2, 8, 5, 1, 6, 4, 3]
    for packed, known in ORDERS.items():
        assert list(MicroBatches(lengths, effective_batch=4, micro_batch=2, packed=packed, seed=11)) == known
