"""Points of single questions: kept beside the log, the same wherever the data lies, and paired with the base's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from vlmft_core.preset import Source
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.scores import common, read_points
from vlmft_trainer.data.conversation import Turn
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.fingerprint import question_digest
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.training.kept_points import KeptPoints
from vlmft_trainer.training.run_log import RunLog

CHARTQA, TEXTVQA = "chartqa", "textvqa"


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    folder = RunLayout(tmp_path)
    folder.logs.mkdir()
    return folder


def right(samples: Samples, count: int) -> list[str]:
    """Answers to all questions, right to the first `count`."""
    targets = [samples.conversation(index).references[0] for index in range(len(samples))]
    return [target if index < count else "no idea" for index, target in enumerate(targets)]


def test_the_points_of_every_question_are_kept_at_every_eval(run: RunLayout, samples: Samples) -> None:
    kept = KeptPoints(run, RunLog(None))
    signs = samples.pick(TEXTVQA, 12)
    kept.keep(0, TEXTVQA, signs, right(signs, 3))
    kept.keep(8, TEXTVQA, signs, right(signs, 9))
    found = read_points(run.scores_file)
    assert [sum(found[step, TEXTVQA].values()) for step in (0, 8)] == [3, 9]
    assert len(common(found[0, TEXTVQA], found[8, TEXTVQA])) == 12
    assert run.scores_file.stat().st_size < 12 * 2 * 30 + 200


def test_the_adapter_is_held_against_its_base_on_the_questions_that_both_were_asked(
    run: RunLayout, samples: Samples
) -> None:
    kept = KeptPoints(run, RunLog(None))
    signs, few = samples.pick(TEXTVQA, 12), samples.pick(TEXTVQA, 6)
    kept.keep(0, TEXTVQA, signs, right(signs, 0))
    kept.keep(4, TEXTVQA, few, right(few, 2))
    kept.keep(8, TEXTVQA, signs, right(signs, 9))
    kept.keep(8, CHARTQA, few, right(few, 2))  # which the base was not asked
    (found,) = kept.against_base(4).values()
    assert (found["questions"], found["better"], found["worse"]) == (6, 2, 0)
    assert set(kept.against_base(8)) == {TEXTVQA}
    assert kept.against_base(8)[TEXTVQA] == pytest.approx(
        {"questions": 12, "gain": 0.75, "better": 9, "worse": 0, "p": 2 / 2**9}
    )
    assert KeptPoints(run, RunLog(None)).against_base(8) == kept.against_base(8)  # resumed


def test_a_question_is_the_same_in_another_folder_and_another_with_another_picture_or_answer(
    sources: list[Source], encoder: Encoder, samples: Samples, tmp_path: Path
) -> None:
    moved = copytree(sources[1].path, tmp_path / "moved")
    split, there = samples.splits[1], open_split(sources[1].model_copy(update={"path": str(moved)}), "train")

    def digest(row: int) -> str:
        conversation = there.conversation(row)
        return question_digest(conversation, there.contents(conversation))

    conversation = split.conversation(0)
    contents = split.contents(conversation)
    own = question_digest(conversation, contents)
    assert own == digest(0) != digest(1)
    reworded = replace(conversation, turns=(*conversation.turns[:-1], Turn("assistant", ("?",))))
    assert own == question_digest(reworded, contents)
    assert own != question_digest(conversation, [*contents[:-1], contents[-1] + b"."])
    assert own != question_digest(replace(conversation, references=("other",)), contents)


def test_a_disk_that_is_full_ends_no_training(run: RunLayout, samples: Samples) -> None:
    run.scores_file.symlink_to("/dev/full")
    kept = KeptPoints(run, RunLog(None))
    signs = samples.pick(TEXTVQA, 3)
    kept.keep(0, TEXTVQA, signs, right(signs, 3))
    assert read_points(run.scores_file) == {}
