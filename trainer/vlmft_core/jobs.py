"""Jobs: what the console asks of the trainer's programs.

A program is started as `python -m vlmft_trainer.programs PROGRAM JOB`, JOB being one of these as JSON. It answers
with one JSON object a line on standard output: `{"note": text}`, `{"progress": {"task", "side", "done", "total"}}`, its
results, or `{"error": text}` and exit code 2. Everything else that is said goes to standard error.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from vlmft_core.errors import ModelError
from vlmft_core.preset.data_schema import Data
from vlmft_core.preset.schema import Preset
from vlmft_core.preset.section import Section
from vlmft_core.run_folder.layout import ADAPTER_WEIGHTS

STANDARD_INPUT: Final = "-"
"""In the place of a file's name: what comes on the program's standard input."""
LONGEST_ANSWER: Final = 128
"""Tokens of an answer at most, where a person asks and says no other number."""


class Weights(Section):
    """A model to use."""

    preset: Preset
    """How it is loaded (base, precision, attention, device, largest image), and what it is asked."""
    adapter: str | None = None
    """Folder of the adapter laid over the preset's base; null for the base alone."""


class EvalJob(Weights):
    """Answer eval questions with the base and, if there is one, with the adapter, and score them."""

    folder: str
    """Where answers and scores go; answers that are there already are kept."""
    task: str | None = None
    """The one task asked; null for all."""
    limit: Annotated[int, Field(ge=1)] | None
    """Questions of each task, picked evenly as training picks them; null for all."""


class MergeJob(Weights):
    """Write the base with the adapter's changes in it."""

    folder: str
    """The model folder to make."""


class PredictJob(Weights):
    """Answer questions about images."""

    questions: list[Ask]
    """Answered in this order."""
    batch: str | None = None
    """A JSONL file with more of them, or `-` for standard input: in each line `question`, `image` or `images` (paths
    from the file's folder, or `data:` URLs), and `id`."""
    task: str | None = None
    """Word the questions as this task does; null leaves them as they are."""
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)]
    """Longest answer, in tokens."""
    columns: int = 0
    """Largest width of a small copy of each picture, in pixels; 0 for none."""
    rows: int = 0
    """Largest height of it."""

    @property
    def reads_input(self) -> bool:
        """Whether the questions, or a picture, come on standard input."""
        return self.batch == STANDARD_INPUT or any(STANDARD_INPUT in one.images for one in self.questions)


class InspectJob(Section):
    """Read data sources: judge all they hold, or show some samples as the model gets them."""

    mode: Literal["check", "show"]
    data: Data
    """Its sources, unless `source` is given, and its limits on a sample."""
    source: dict[str, Any] | None = None
    """Instead of the sources: a source whose `task` may be null."""
    base: str
    """The base whose tokens are counted."""
    chosen: bool = False
    """Whether a person chose the base: it is then loaded wherever it is."""
    deep: bool = False
    """Whether a check decodes all images, also those that end as they should."""
    limit: Annotated[int, Field(ge=1)] = 3
    """Samples shown of each source."""
    split: str | None = None
    """The split they are of; null for the training split."""
    columns: int = 64
    """Largest width of a picture, in pixels."""
    rows: int = 32
    """Largest height of one, in pixels."""


class WorstJob(Weights):
    """Find the samples on which a model loses most."""

    part: Literal["training", "eval"]
    """Which of the preset's data."""
    source: str | None = None
    """Only this task, or the source with this path; null for all."""
    samples: Annotated[int, Field(ge=1)] | None
    """So many are looked at, evenly spaced; null for all."""
    limit: Annotated[int, Field(ge=1, le=1000)]
    """So many are named, by each measure."""
    columns: int = 0
    """Largest width of a small copy of each picture, in pixels; 0 for none."""
    rows: int = 0
    """Largest height of it."""


class StepJob(Section):
    """Name the samples of one optimizer step of a run. Needs no model."""

    preset: Preset
    """The run's."""
    step: Annotated[int, Field(ge=1)]
    shared: bool
    """Whether the run computes an image once for all questions about it, which decides the order."""


Job = Weights | InspectJob | StepJob


class Ask(Section):
    """One question."""

    question: str
    images: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """Pictures: paths, `data:` URLs, or `-` for one that comes on standard input."""
    id: str | int | None = None
    """Given back with the answer."""


def identity(job: EvalJob) -> dict[str, Any]:
    """What decides the answers: an eval goes on only with those of the same."""
    preset = job.preset
    return {
        "v": 1,
        "model": preset.model.model_dump(mode="json"),
        "adapter": job.adapter and fingerprint(Path(job.adapter)),
        "data": preset.data.model_dump(mode="json", exclude={"workers", "pin_memory", "max_train"}),
        "task": job.task,
        "limit": job.limit,
        "max_new_tokens": preset.evaluation.max_new_tokens,
        "device": preset.hardware.device,
    }


def fingerprint(adapter: Path) -> str:
    """SHA-256 of an adapter's weights.

    Raises:
        ModelError: it has none.
    """
    try:
        with (adapter / ADAPTER_WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{adapter}: no {ADAPTER_WEIGHTS} ({error.strerror})") from error
