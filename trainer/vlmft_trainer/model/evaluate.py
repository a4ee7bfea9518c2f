"""Evaluation of a model: token-weighted loss on eval samples, and generated answers scored by their task's metric.

Everything here also works on a plain transformers or PEFT model in one process, and gives the same figures: nothing
depends on batch size or on the number of ranks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from vlmft_core.plan.shared_memory import ANSWERED_AT_ONCE
from vlmft_core.preset.schema import Evaluation
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.samples import Prompts, Samples
from vlmft_trainer.data.tasks import TASKS, Scores
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.eval_batches import batches, evaluating
from vlmft_trainer.model.inputs import model_inputs, on_device
from vlmft_trainer.model.loss import answer_loss, supervised_tokens

Stop = Callable[[], bool]
"""Whether to stop between two batches; must answer the same on every rank."""


Keep = Callable[[str, Samples, list[str]], None]
"""Takes a task, its questions, and the answers to them in their order."""


def never() -> bool:
    """For who cannot be stopped."""
    return False


@dataclass(frozen=True)
class EvalResult:
    """Loss in nats per supervised token; token accuracy as a share of supervised tokens; `runtime_s` in seconds."""

    eval_loss: float
    token_accuracy: float
    samples: int
    runtime_s: float


def mean_loss(
    model: Any,
    samples: Samples,
    *,
    batch_size: int,
    packed: bool = False,
    share: bool = False,
    workers: int = 0,
    stop: Stop = never,
) -> EvalResult | None:
    """Loss and token accuracy over all of `samples`; every rank takes its share and gets the whole result.

    Args:
        model: bare, or wrapped by PEFT or DeepSpeed.
        batch_size: samples that one rank holds at once. Does not change the result.
        packed: lay them in one row without padding; the model must know how (`use_packed_attention`, or flash
            attention). Does not change the result.
        share: compute an image once for all questions of a row about it; only where rows are packed, for this
            project's own attention. Does not change the result.

    Returns:
        None if it was stopped.
    """
    encoder, groups = samples.encoder, samples.groups if share else None
    join = pack_collator(encoder, share=groups is not None) if packed else pad_collator(encoder)
    order = list(range(len(samples)))
    if groups:
        order.sort(key=groups.first.__getitem__)  # those that begin alike next to each other
    start = time.monotonic()
    tokens = 0
    sums = torch.zeros(2, dtype=torch.float64, device=ranks.device())
    with evaluating(model):
        for _, own, batch in batches(samples, order, join, batch_size, workers):
            if stop():
                return None
            loss = answer_loss(model, batch)
            if own:
                sums += torch.stack([loss.nll.double(), loss.correct.double()])
                tokens += supervised_tokens(batch)
    nll, correct, count = ranks.all_reduce_sum([*sums.tolist(), tokens])
    return EvalResult(nll / count, correct / count, len(samples), time.monotonic() - start)


def answer_questions(
    model: Any, samples: Samples, *, batch_size: int, max_new_tokens: int, workers: int = 0, stop: Stop = never
) -> list[str] | None:
    """The model's greedy answers to the questions of `samples`, in their order, on every rank.

    Args:
        model: a transformers model, bare or wrapped by PEFT; under ZeRO-3 the one inside the DeepSpeed engine.
        batch_size: questions that one rank answers at once, where its GPU has memory for them; else half as many, and
            so on. Does not change the answers.
        max_new_tokens: longest answer.

    Returns:
        None if it was stopped.
    """
    generator, order = _Generator(model, samples, batch_size, max_new_tokens), range(len(samples))
    mine: dict[int, str] = {}
    with evaluating(model):
        # One worker has the next batch ready before this one is answered.
        asked = batches(generator.prompts, order, generator.join, batch_size, min(workers, 1), ahead=1)
        for indices, own, batch in asked:
            if stop():
                return None
            texts = generator.answer(indices, batch)
            if own:
                mine.update(zip(indices, texts, strict=True))
    answers = ranks.gather_entries(mine)
    return [answers[index] for index in range(len(samples))]


class _Generator:
    """Generates answers in batches that memory suffices for.

    Args:
        most: questions of a batch at first.
    """

    def __init__(self, model: Any, samples: Samples, most: int, max_new_tokens: int) -> None:
        self.prompts = Prompts(samples)
        self.join = pad_collator(samples.encoder, "left")
        self._model = model
        self._tokenizer = samples.encoder.tokenizer
        self._config = _greedy(samples.encoder, max_new_tokens)
        self._most = most

    def answer(self, indices: list[int], batch: dict[str, Any]) -> list[str]:
        """Answers to the questions with these indices, in their order.

        Args:
            batch: their prompts, on the device.

        Raises:
            torch.OutOfMemoryError: memory does not suffice for one question; or, with weights that ranks share, for all
                of them: no rank could try again without the others.
        """
        if len(indices) <= self._most:
            try:
                return self._generate(batch)[: len(indices)]  # a batch without images has one row more
            except torch.OutOfMemoryError:
                if len(indices) == 1 or shares_weights(self._model):
                    raise
                self._most = len(indices) // 2
        # Not where the error is at hand: it holds what the attempt had taken.
        torch.cuda.empty_cache()
        parts = [indices[first : first + self._most] for first in range(0, len(indices), self._most)]
        return [answer for part in parts for answer in self.answer(part, self._again(part))]

    def _again(self, indices: list[int]) -> dict[str, Any]:
        return on_device(self.join([self.prompts[index] for index in indices]), ranks.device())

    def _generate(self, batch: dict[str, Any]) -> list[str]:
        generated = self._model.generate(**model_inputs(self._model, batch), generation_config=self._config)
        ids = generated[:, batch["input_ids"].shape[1] :]
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]


def answered_at_once(model: Any, settings: Evaluation) -> int:
    """Questions that a rank answers at once: as many as it evaluates where memory may not be tried out."""
    return settings.micro_batch if shares_weights(model) else max(settings.micro_batch, ANSWERED_AT_ONCE)


def shares_weights(model: Any) -> bool:
    """Whether each rank holds a part of the weights (ZeRO-3)."""
    return any(hasattr(weight, "ds_id") for weight in model.parameters())


def points(task_name: str, samples: Samples, answers: list[str]) -> list[float]:
    """What each answer is worth by its task's metric, 0 to 1; `score` is their mean."""
    conversations = map(samples.conversation, range(len(samples)))
    return [TASKS[task_name].worth(*each) for each in zip(conversations, answers, strict=True)]


def score(task_name: str, samples: Samples, answers: list[str]) -> Scores:
    """Answers to the questions of `samples`, all of one task, scored by its metric; shares of one, and `n`."""
    conversations = [samples.conversation(index) for index in range(len(samples))]
    return TASKS[task_name].score(conversations, answers)


def task_names(samples: Samples) -> list[str]:
    """The tasks among `samples`, in alphabetical order."""
    return sorted({samples.task_name(index) for index in range(len(samples))})


def answer_tasks(
    model: Any,
    samples: Samples,
    settings: Evaluation,
    workers: int = 0,
    stop: Stop = never,
    *,
    limit: int | None = None,
    keep: Keep | None = None,
) -> dict[str, Scores] | None:
    """Answer and score questions of each task among `samples`.

    Args:
        limit: at most this many of each task; `settings.answers` if None.
        keep: is given each task with its questions and the answers, on every rank.

    Returns:
        Scores by task, as an `eval` event's `tasks`; None if it was stopped.
    """
    results = {}
    for task_name in task_names(samples):
        picked = samples.pick(task_name, settings.answers if limit is None else limit)
        answers = answer_questions(
            model,
            picked,
            batch_size=answered_at_once(model, settings),
            max_new_tokens=settings.max_new_tokens,
            workers=workers,
            stop=stop,
        )
        if answers is None:
            return None
        results[task_name] = score(task_name, picked, answers)
        if keep:
            keep(task_name, picked, answers)
    return results


def _greedy(encoder: Encoder, max_new_tokens: int) -> Any:
    """Plain greedy decoding. Every sampling option is stated, because what is not comes from the base model's own
    generation_config.json (Qwen2.5-VL's has a repetition penalty)."""
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_k=50,
        top_p=1.0,
        repetition_penalty=1.0,
        use_cache=True,
        pad_token_id=encoder.pad_id,
        eos_token_id=encoder.stop_ids,
    )
