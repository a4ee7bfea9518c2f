"""Measuring a model: nothing may depend on how the samples are split into batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Evaluation
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.prefixes import Groups
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.eval_batches import rounds
from vlmft_trainer.model.evaluate import answer_questions, answer_tasks, mean_loss, score
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, load_base


@pytest.fixture(scope="module")
def base() -> Any:
    return load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())).eval()


def test_eval_loss_is_the_mean_over_supervised_tokens(base: Any, samples: Samples) -> None:
    nll = tokens = right = 0.0
    for index in range(len(samples)):
        batch = collate([samples[index]], pad_id=samples.encoder.pad_id, image_id=samples.encoder.image_id)
        with torch.no_grad():
            output = base(**model_inputs(base, batch), labels=batch["labels"])
        supervised = int((batch["labels"] != -100).sum())
        nll += float(output.loss) * supervised
        predicted, wanted = output.logits[0, :-1].argmax(-1), batch["labels"][0, 1:]
        right += int((predicted == wanted).sum())
        tokens += supervised
    result = mean_loss(base, samples, batch_size=5)
    assert result is not None
    assert result.eval_loss == pytest.approx(nll / tokens, rel=1e-5)
    assert result.token_accuracy == pytest.approx(right / tokens)
    assert result.samples == len(samples)


def test_eval_loss_does_not_depend_on_the_batch_size(base: Any, samples: Samples) -> None:
    results = [mean_loss(base, samples, batch_size=size) for size in (1, 7, 24)]
    losses = [result.eval_loss for result in results if result]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


@pytest.mark.parametrize("size", [2, 5])
def test_eval_loss_is_the_same_where_questions_share_their_image(
    base: Any, samples: Samples, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    places = [samples.places[index] for index in (0, 1, 2, 12, 3)]
    asked = Samples(samples.splits, [*places, *places], samples.encoder, groups=Groups([0, 1, 2, 3, 4] * 2, [60] * 10))
    seen = list[int]()
    forward = type(base).forward

    def counted(self: Any, *args: Any, **inputs: Any) -> Any:
        seen.append(inputs["input_ids"].numel())
        return forward(self, *args, **inputs)

    monkeypatch.setattr(type(base), "forward", counted)
    apart = mean_loss(base, asked, batch_size=size, packed=True)
    tokens, seen[:] = sum(seen), []
    shared = mean_loss(base, asked, batch_size=size, packed=True, share=True)
    assert apart is not None
    assert shared is not None
    assert shared.eval_loss == pytest.approx(apart.eval_loss, rel=1e-5)
    assert shared.token_accuracy == apart.token_accuracy
    assert sum(seen) < 0.8 * tokens


def test_answers_do_not_depend_on_the_batch_size(base: Any, samples: Samples) -> None:
    one_by_one = answer_questions(base, samples, batch_size=1, max_new_tokens=6)
    assert one_by_one == answer_questions(base, samples, batch_size=7, max_new_tokens=6)
    assert one_by_one is not None
    assert len(one_by_one) == len(samples)


def test_scores_are_of_each_task(base: Any, samples: Samples) -> None:
    scores = answer_tasks(base, samples, Evaluation(answers=3, micro_batch=2, max_new_tokens=4))
    assert scores is not None
    assert set(scores) == {"chartqa", "textvqa"}
    assert scores["chartqa"]["n"] == scores["textvqa"]["n"] == 3
    assert {"relaxed_accuracy", "accuracy"} <= {name for by_task in scores.values() for name in by_task}


def test_right_answers_score_one(samples: Samples) -> None:
    picked = samples.pick("textvqa", 5)
    targets = [picked.sample(index)[0].target for index in range(5)]
    assert score("textvqa", picked, targets) == {"accuracy": 1.0, "n": 5}


def test_a_stop_ends_an_eval_between_two_batches(base: Any, samples: Samples) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    assert mean_loss(base, samples, batch_size=4, stop=stop) is None
    assert len(asked) == 3
    assert answer_questions(base, samples, batch_size=4, max_new_tokens=2, stop=lambda: True) is None


def test_measuring_leaves_training_mode_and_random_numbers_alone(base: Any, samples: Samples) -> None:
    base.train()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    mean_loss(base, samples, batch_size=8)
    assert torch.equal(torch.rand(1), expected)
    assert base.training
    base.eval()


@pytest.mark.parametrize(("count", "world"), [(10, 1), (10, 3), (9, 2), (2, 4), (1, 3)])
def test_every_sample_counts_once_and_every_rank_makes_as_many_rounds(count: int, world: int) -> None:
    by_rank = [list(rounds(range(count), 2, rank, world)) for rank in range(world)]
    counted = [index for plan in by_rank for indices, own in plan if own for index in indices]
    assert sorted(counted) == list(range(count))
    assert len({len(plan) for plan in by_rank}) == 1


def test_where_memory_is_short_fewer_questions_are_answered_at_once(
    base: Any, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Samples(samples.splits, samples.places[6:17], samples.encoder)
    expected = answer_questions(base, some, batch_size=3, max_new_tokens=3)
    original, sizes = base.generate, list[int]()

    def generate(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(**inputs)

    monkeypatch.setattr(base, "generate", generate)
    assert answer_questions(base, some, batch_size=8, max_new_tokens=3) == expected
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]  # what failed once is not tried again

    def never_enough(**_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(base, "generate", never_enough)
    with pytest.raises(torch.OutOfMemoryError):
        answer_questions(base, some, batch_size=8, max_new_tokens=3)


def test_an_answer_ends_with_its_turn_or_with_the_text(base: Any, samples: Samples) -> None:
    one = Samples(samples.splits, samples.places[:1], samples.encoder)
    tokenizer = samples.encoder.tokenizer
    [seven] = tokenizer("7", add_special_tokens=False)["input_ids"]
    for end in ("<|im_end|>", "<|endoftext|>"):
        said = [seven, tokenizer.convert_tokens_to_ids(end), seven, seven]
        turns = iter(said)

        def only(_: Any, args: Any, output: Any, turns: Any = turns) -> Any:
            output[..., next(turns)] += 1e4
            return output

        hook = base.lm_head.register_forward_hook(only)
        assert answer_questions(base, one, batch_size=1, max_new_tokens=4) == ["7"]
        hook.remove()
        assert len(list(turns)) == 2
