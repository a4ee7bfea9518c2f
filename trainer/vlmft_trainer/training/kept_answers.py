"""Kept answers: a few eval questions with their pictures, and what was answered to them, in the run's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL.Image import Dither, Quantize

from vlmft_core.preset.schema import Evaluation
from vlmft_core.run_folder.answers import (
    MOST_QUESTIONS,
    Answer,
    Question,
    add_answers,
    add_questions,
    read_answers,
)
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.picture import COLOURS, LONG_SIDE, SHORT_SIDE, Picture
from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.pictures import decode
from vlmft_trainer.data.samples import Place, Samples, evenly
from vlmft_trainer.model.evaluate import task_names
from vlmft_trainer.training.run_log import RunLog

_CHART_COLOURS: Final = 4_096
"""A copy that has more is a photo: charts have 700, and 3,000 from a JPEG; photos tens of thousands."""

Answered = Sequence[tuple[str, str, float]]
"""Digest, answer and its points, for each question in their order."""


class KeptAnswers:
    """Keeps the answers to the same few questions at every eval. Only rank 0 calls `keep`.

    Args:
        run: where. A resumed run has the questions there already.
        log: is told where they cannot be kept, which never ends a training.
        samples: all eval samples.
        settings: which of them are asked.
    """

    def __init__(self, run: RunLayout, log: RunLog, samples: Samples, settings: Evaluation) -> None:
        self._file = run.answers_file
        self._log = log
        self._chosen = shown_questions(samples, settings)
        self._known: set[str] | None = None
        self._full = False

    def keep(self, step: int, task: str, samples: Samples, answered: Answered) -> None:
        """Keep one task's answers at one step; 0 for the base's."""
        chosen = [index for index, place in enumerate(samples.places) if place in self._chosen]
        if not chosen or self._full:
            return
        try:
            if self._known is None:
                self._known = set(read_answers(self._file).questions)
            new = {answered[index][0]: index for index in chosen if answered[index][0] not in self._known}
            room = add_questions(self._file, [_question(samples, index, key, task) for key, index in new.items()])
            self._known |= new.keys()
            said = {key: Answer(text, points) for key, text, points in (answered[index] for index in chosen)}
            self._full = not (room and add_answers(self._file, step, task, said))
            if self._full:
                self._log.note(f"{self._file.name} is full: answers from step {step:,} on are not kept")
        except (OSError, ValueError) as error:  # a full disk, or an image that is gone by now
            self._log.note(f"what was answered to {task} questions is not kept: {error}")


def shown_questions(samples: Samples, settings: Evaluation) -> frozenset[Place]:
    """The eval samples whose answers are kept: of each task as many, evenly spaced, at first those that both base and
    adapter are asked at every eval; always the same ones."""
    found: set[Place] = set()
    tasks = task_names(samples) if settings.answers else []
    for task in tasks:
        often = samples.pick(task, min(settings.answers, settings.answers_at_evals) or settings.answers).places
        base = set(samples.pick(task, settings.answers).places)
        both = [place for place in often if place in base]
        rest = [place for place in often if place not in base]
        most = max(1, MOST_QUESTIONS // len(tasks))
        found |= {both[index] for index in evenly(len(both), most)}
        found |= {rest[index] for index in evenly(len(rest), max(0, most - len(both)))}
    return frozenset(found)


def _question(samples: Samples, index: int, key: str, task: str) -> Question:
    """One question with a small copy of its first image.

    Raises:
        OSError, ValueError: an image cannot be read.
    """
    split, row = samples.places[index]
    source, conversation = samples.splits[split], samples.conversation(index)
    contents = source.contents(conversation)
    return Question(
        key,
        task,
        conversation.prompt,
        tuple(dict.fromkeys(conversation.references)),
        source.where(row),
        conversation.image_name,
        len(contents),
        small(contents[0]) if contents else None,
    )


def small(content: bytes) -> Picture | None:
    """A small copy of an image file; None of one that is broken: another sample was asked in its place."""
    try:
        image = decode(content)
    except BadRow:
        return None
    image.thumbnail((LONG_SIDE, SHORT_SIDE) if image.width >= image.height else (SHORT_SIDE, LONG_SIDE))
    # Median cut keeps a chart's thin lines, which the octree loses; of a photo it loses the colours of small things.
    method = Quantize.MEDIANCUT if image.getcolors(_CHART_COLOURS) else Quantize.FASTOCTREE
    numbered = image.quantize(COLOURS, method, dither=Dither.NONE)
    return Picture.of(*numbered.size, numbered.tobytes(), bytes(numbered.getpalette() or ()))
