"""Preset section `data`: every field with its meaning, unit, range and where its default comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from vlmft_core.preset.section import Fraction, Positive, Section

EVAL_SPLITS = ("val", "validation", "dev")
"""Splits evaluated on where a source names none, the first that there is."""

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "chartqa": ("image", "query", "label", "human_or_machine"),
    "textvqa": ("image", "question", "answers"),
    "llava": ("conversations", "system", "image", "images", "objects"),
    "messages": ("messages", "system", "image", "images", "objects"),
    "qa": ("question", "answer", "input", "history", "system", "image", "images", "objects"),
}
"""What is used of a row of each task, and what `columns` can name."""


class Source(Section):
    """One data set."""

    task: Literal["chartqa", "textvqa", "llava", "messages", "qa"]
    """Schema and metric: `chartqa` (image, query, label), `textvqa` (image, question, ten answers), `llava`
    (conversations, image), `messages` (messages, images) or `qa` (question, answer, image). The last three are scored
    by exact match."""
    path: Annotated[str, Field(min_length=1)]
    """A data set's name on the hub, a local folder or file, or `demo` for generated data. Files: JSON, JSON lines, CSV,
    TSV, Parquet or Arrow, each also gzipped; `demo` has chartqa and textvqa."""
    columns: dict[str, str] = {}
    """Columns that have another name in this data set, as `{ours: its}`: `{question: frage, image: photo}`. What there
    is to name is listed in docs/data.md."""
    boxes: Literal["absolute", "relative_1000", "relative_1", "resized"] | None = None
    """What boxes and points count, those of JSON in texts (`bbox_2d`, `bbox`, `point_2d`, `point`, `coordinate`), those
    between box tokens, and in `objects` without a `bbox_type`: pixels of the picture as it is seen, thousandths or
    shares of its sides, or pixels of the resized picture. They are scaled with the picture. null: texts stay as they
    are."""
    box_style: Literal["tokens", "json"] = "tokens"
    """How `<bbox>` and `<ref-object>` are filled in: `<|box_start|>(x1,y1),(x2,y2)<|box_end|>` and
    `<|object_ref_start|>name<|object_ref_end|>`, as ms-swift does, or `[x1, y1, x2, y2]` and the bare name."""
    images: str = ""
    """Folder that image paths start from; empty for the data file's own."""
    train_split: str = "train"
    """Split trained on."""
    eval_split: str | None = None
    """Split evaluated on. null: `val`, `validation` or `dev` where there is one, else `eval_share` is held out."""
    eval_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training split that is held out where there is no eval split: always the same samples, and those
    with the same image on the same side. Above 0, below 1."""
    max_train: Positive | None = None
    """At most this many of its training samples, picked evenly and reproducibly; null takes all."""
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How often its training samples come in an epoch: 2 is twice each, 0.5 every second one. Up to 100."""

    @model_validator(mode="after")
    def _demo_has_two_tasks(self) -> Self:
        if self.path == "demo" and self.task not in ("chartqa", "textvqa"):
            raise ValueError(f"data.sources: demo has no {self.task}: only chartqa and textvqa are generated")
        return self

    @model_validator(mode="after")
    def _columns_are_the_tasks(self) -> Self:
        known = COLUMNS[self.task]
        for ours, its in self.columns.items():
            if ours not in known:
                raise ValueError(f"data.sources: columns: {self.task} has no {ours}: there are {', '.join(known)}")
            if not its or list(self.columns.values()).count(its) > 1:
                raise ValueError(f"data.sources: columns: {ours} needs a column of its own, not {its!r}")
        return self

    @model_serializer(mode="wrap")
    def _brief(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without options that have their defaults: several sources are written on one line."""
        written: dict[str, Any] = write(self)
        fields = type(self).model_fields
        return {key: value for key, value in written.items() if key == "train_split" or value != fields[key].default}

    def samples(self, there: int) -> int:
        """Training samples of an epoch out of those there are."""
        return max(1, round(min(there, self.max_train or there) * self.weight)) if there else 0


class Data(Section):
    """What is trained and evaluated on."""

    sources: Annotated[list[Source], Field(min_length=1)] = [
        Source(task="chartqa", path="HuggingFaceM4/ChartQA", eval_split="val"),
        Source(task="textvqa", path="lmms-lab/textvqa", eval_split="validation"),
    ]
    """Data sets; their training splits are joined and shuffled."""
    train_on: Literal["all", "last"] = "all"
    """Which answers of a conversation carry loss: `all`, or the `last` one. An answer whose turn says `loss: false` or
    `weight: 0` never does."""
    max_train: Positive | None = 80000
    """At most this many training samples, picked evenly and reproducibly; null takes all. The published
    recipe's 80000."""
    max_eval: Positive | None = 2000
    """At most this many eval samples; null takes all. The published recipe's 2000."""
    max_length: Annotated[int, Field(ge=16, le=131072)] = 4096
    """Longest sample in tokens, image tokens included. A longer one is left out and counted, never cut."""
    max_pixels: Annotated[int, Field(ge=784)] = 1003520
    """Larger images are scaled down to this many pixels; 784 pixels are one token. 1280 tokens by default."""
    min_pixels: Annotated[int, Field(ge=784)] | None = None
    """Smaller images are scaled up to this many pixels; null for the base's own limit (3136)."""
    max_bad: Fraction = 0.01
    """Share of unusable samples (broken image, empty answer, …), 0 to 1, over which training does not start."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Data loading processes for each GPU. 0 loads in the training process."""
    pin_memory: bool = True
    """Page-locked buffers, for faster copies to the GPU."""

    @model_validator(mode="after")
    def _least_is_below_most(self) -> Self:
        if self.min_pixels is not None and self.min_pixels > self.max_pixels:
            raise ValueError(f"data.min_pixels {self.min_pixels} is over data.max_pixels {self.max_pixels}")
        return self
