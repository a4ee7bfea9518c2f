"""Worst samples: those on which a model loses most, and those on which its training made it worse than its base.

A wrong label looks like that: what the data says is what a model that has learnt the rest does not expect. Says
`progress`, then `worst` once:

- `samples`, `of`: how many were looked at, and how many there are.
- `fingerprint`: of all the data, as the run's plan has it.
- `by_loss`, `by_worsening`: the worst ones by each, as indices into `found`; the second is empty for a base alone.
- `found`: for each `where` (its row), `task`, `question`, `truth`, `base` and `tuned` (loss in nats a token; `tuned` is
  null for a base alone), `tokens`, `answer` (what the model says itself, greedily), `right` (0 to 1), `image` (where
  the first one lies), `images` (how many), and `picture` (`size`, `pixels`) or null.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from vlmft_core.errors import DataError, ModelError
from vlmft_core.figures import counted
from vlmft_core.jobs import WorstJob
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.pictures import decode
from vlmft_trainer.data.preview import picture
from vlmft_trainer.data.run_data import prepare, prepare_eval
from vlmft_trainer.data.samples import Samples, evenly
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.adapter import refuse_lasting_biases
from vlmft_trainer.model.eval_batches import batches, evaluating
from vlmft_trainer.model.evaluate import answer_questions, answered_at_once, points
from vlmft_trainer.model.loss import row_losses
from vlmft_trainer.programs import Say
from vlmft_trainer.programs.load_weights import load_weights


@dataclass(frozen=True)
class Lost:
    """What one sample costs, in nats a supervised token."""

    base: float
    tuned: float | None
    tokens: int

    @property
    def loss(self) -> float:
        """By the model as it is now."""
        return self.base if self.tuned is None else self.tuned

    @property
    def worsening(self) -> float:
        """How much more than its base the adapter loses."""
        return 0.0 if self.tuned is None else self.tuned - self.base


def worst(job: WorstJob, say: Say) -> None:
    """Measure the samples, and name the worst. Every rank calls it.

    Raises:
        VlmftError: model or data cannot be used, or there is no such source.
    """
    meant = sources_meant(job)
    model, encoder = load_weights(job, say)
    refuse_lasting_biases(model)
    if job.part == "eval":
        samples, notes = prepare_eval(job.preset.data, encoder)
    else:
        data = prepare(job.preset.data, encoder)
        samples, notes = data.train, data.notes
    for note in notes:
        say("note", note)
    # A sample that is trained on several times is looked at once.
    there = [place for place in dict.fromkeys(samples.places) if place[0] in meant]
    if not there:
        raise DataError(f"there are no {job.part} samples of {job.source}")
    part = Samples(samples.splits, [there[index] for index in evenly(len(there), job.samples)], encoder)
    lost = measure(model, part, job, say)
    by_loss = sorted(lost, key=lambda index: -lost[index].loss)[: job.limit]
    worse = [index for index in lost if lost[index].worsening > 0]
    by_worsening = sorted(worse, key=lambda index: -lost[index].worsening)[: job.limit]
    named = list(dict.fromkeys([*by_loss, *by_worsening]))
    place = {index: number for number, index in enumerate(named)}
    say(
        "worst",
        {
            "samples": len(part),
            "of": len(there),
            "fingerprint": samples.fingerprint,
            "by_loss": [place[index] for index in by_loss],
            "by_worsening": [place[index] for index in by_worsening],
            "found": described(model, part, named, lost, job),
        },
    )


def sources_meant(job: WorstJob) -> set[int]:
    """Which of the preset's sources are looked at, by their number.

    Raises:
        DataError: the preset has no such source.
    """
    sources = job.preset.data.sources
    meant = {number for number, one in enumerate(sources) if job.source in (None, one.task, one.path)}
    if not meant:
        known = ", ".join(dict.fromkeys(name for one in sources for name in (one.task, one.path)))
        raise DataError(f"--source {job.source}: the preset has no such task or source", f"it has {known}")
    return meant


def measure(model: Any, samples: Samples, job: WorstJob, say: Say) -> dict[int, Lost]:
    """What each sample costs, by index, in their order; the same on every rank.

    Raises:
        ModelError: a loss is not finite.
    """
    label = {"side": "base and adapter" if job.adapter else "base", "task": f"{job.part} data"}
    size = job.preset.evaluation.micro_batch
    mine: dict[int, Lost] = {}
    done = 0
    with evaluating(model):
        order = range(len(samples))
        for indices, own, batch in batches(
            samples, order, pad_collator(samples.encoder), size, job.preset.data.workers
        ):
            tokens = (batch["labels"][:, 1:] >= 0).sum(1).tolist()
            with model.disable_adapter() if job.adapter else nullcontext():
                base = row_losses(model, batch).tolist()
            tuned = row_losses(model, batch).tolist() if job.adapter else [None] * len(base)
            if own:
                for row, index in enumerate(indices):
                    count = tokens[row]
                    after = tuned[row]
                    mine[index] = Lost(base[row] / count, None if after is None else after / count, count)
            done = min(len(samples), done + size * ranks.world_size())
            say("progress", {**label, "done": done, "total": len(samples)})
    found = ranks.gather_entries(mine)
    if lost := [index for index in sorted(found) if not math.isfinite(found[index].base + found[index].loss)]:
        raise ModelError(f"the loss of {counted(len(lost), 'sample')} is not finite, first of {samples.where(lost[0])}")
    return dict(sorted(found.items()))


def described(
    model: Any, samples: Samples, named: list[int], lost: dict[int, Lost], job: WorstJob
) -> list[dict[str, Any]]:
    """All about the samples to be named."""
    asked = Samples(samples.splits, [samples.places[samples.taken(index)] for index in named], samples.encoder)
    settings = job.preset.evaluation
    size = answered_at_once(model, settings)
    answers = answer_questions(model, asked, batch_size=size, max_new_tokens=settings.max_new_tokens) or []
    found = []
    for number, (index, answer) in enumerate(zip(named, answers, strict=True)):
        split = asked.splits[asked.places[number][0]]
        conversation = asked.conversation(number)
        contents = split.contents(conversation)
        one = Samples(asked.splits, [asked.places[number]], asked.encoder)
        found.append(
            {
                "where": asked.where(number),
                "task": asked.task_name(number),
                "question": conversation.prompt,
                "truth": list(dict.fromkeys(conversation.references)),
                "base": lost[index].base,
                "tuned": lost[index].tuned,
                "tokens": lost[index].tokens,
                "answer": answer,
                "right": points(asked.task_name(number), one, [answer])[0],
                "image": conversation.image_name,
                "images": len(contents),
                "picture": _small(contents[0], job) if contents and job.columns and job.rows else None,
            }
        )
    return found


def _small(content: bytes, job: WorstJob) -> dict[str, Any] | None:
    try:
        return picture(decode(content), job.columns, job.rows)
    except BadRow:
        return None
