"""Kept points: what every answer of a run's evals was worth, in its folder, and whether the adapter beats its base."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.scores import add_points, common, read_points
from vlmft_core.scoring.chance import paired
from vlmft_trainer.data.fingerprint import question_digest
from vlmft_trainer.data.samples import Place, Samples
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.evaluate import points
from vlmft_trainer.training.kept_answers import KeptAnswers
from vlmft_trainer.training.run_log import RunLog


class KeptPoints:
    """Keeps the points of each question; on every rank but the first, nothing.

    Args:
        run: where. A resumed run has the points of its base there already.
        log: is told where they cannot be kept, which never ends a training.
        answers: keeps what was answered to some of them.
    """

    def __init__(self, run: RunLayout, log: RunLog, answers: KeptAnswers | None = None) -> None:
        self._file = run.scores_file
        self._log = log
        self._answers = answers
        self._writes = ranks.rank() == 0
        self._digests: dict[Place, str] = {}
        self._known = read_points(self._file) if self._writes else {}

    def keep(self, step: int, task: str, samples: Samples, answers: list[str]) -> None:
        """Keep the points of one task's answers at one step; 0 for the base's."""
        if not self._writes:
            return
        try:
            asked = [self._digest(samples, place) for place in samples.places]
            worth = [round(point, 6) for point in points(task, samples, answers)]
            found = self._known[step, task] = dict(zip(asked, worth, strict=True))
            add_points(self._file, step, task, found)
        except (OSError, ValueError) as error:  # a full disk, or an image that is gone by now
            self._log.note(f"which {task} questions were answered rightly is not kept: {error}")
        else:
            if self._answers:
                self._answers.keep(step, task, samples, list(zip(asked, answers, worth, strict=True)))

    def _digest(self, samples: Samples, place: Place) -> str:
        if place not in self._digests:
            split, row = samples.splits[place[0]], place[1]
            conversation = split.conversation(row)
            self._digests[place] = question_digest(conversation, split.contents(conversation))
        return self._digests[place]

    def against_base(self, step: int) -> dict[str, dict[str, Any]]:
        """How the answers of a step compare with the base's to the same questions, by task: the fields of a `Paired`.
        On ranks that keep nothing, and where the base was not asked, there is nothing to say.
        """
        tasks = [task for at, task in self._known if at == step]
        both = {task: common(self._known[step, task], self._known.get((0, task), {})) for task in tasks}
        return {task: asdict(paired([pairs])) for task, pairs in both.items() if pairs}
