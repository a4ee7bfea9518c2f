"""Evaluation after training: the training's own harness, side by side, and never an answer lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.trained import KERNELS, Said, preset, write_tuned
from vlmft_core.errors import DataError, ModelError, VlmftError
from vlmft_core.jobs import EvalJob
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.run_data import prepare, prepare_eval
from vlmft_trainer.model.evaluate import answer_tasks
from vlmft_trainer.model.load import load_base
from vlmft_trainer.programs.eval import claim, evaluate, kept


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "adapter"
    write_tuned(folder)
    return folder


def job(sources: list[Source], adapter: Path | None, folder: Path, **changes: Any) -> EvalJob:
    return EvalJob(
        **{
            "preset": preset(sources),
            "adapter": str(adapter) if adapter else None,
            "folder": str(folder),
            "limit": 5,
            **changes,
        }
    )


def answered(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.stem: [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted(folder.glob("*-*.jsonl"))
    }


def test_the_eval_samples_are_those_of_the_training(sources: list[Source], encoder: Encoder) -> None:
    data = preset(sources).data
    alone, _ = prepare_eval(data, encoder)
    assert alone.places == prepare(data, encoder).eval.places


def test_scores_are_those_that_the_training_measures(
    sources: list[Source], encoder: Encoder, adapter: Path, tmp_path: Path
) -> None:
    said = Said()
    evaluate(job(sources, adapter, tmp_path), said)
    scores, settings = said.last("scores"), preset(sources).evaluation
    samples = prepare(preset(sources).data, encoder).eval
    base = load_base(str(DEMO_BASE), KERNELS).eval()
    assert {task: sides["base"] for task, sides in scores.items()} == answer_tasks(base, samples, settings)
    tuned = write_tuned(tmp_path / "again")
    assert {task: sides["tuned"] for task, sides in scores.items()} == answer_tasks(tuned, samples, settings)
    assert json.loads((tmp_path / "scores.json").read_text()) == scores


def test_every_answer_is_kept_with_its_question_and_whether_it_is_right(
    sources: list[Source], adapter: Path, tmp_path: Path
) -> None:
    said = Said()
    evaluate(job(sources, adapter, tmp_path), said)
    found = answered(tmp_path)
    assert set(found) == {"chartqa-base", "chartqa-tuned", "textvqa-base", "textvqa-tuned"}
    for name, records in found.items():
        task, _, side = name.partition("-")
        assert [record["index"] for record in records] == list(range(5))
        metric = "relaxed_accuracy" if task == "chartqa" else "accuracy"
        mean = sum(record["right"] for record in records) / 5
        assert mean == pytest.approx(said.last("scores")[task][side][metric])
    pairs = list(zip(found["chartqa-tuned"], found["chartqa-base"], strict=True))
    against_base = said.last("scores")["chartqa"]["against_base"]
    assert against_base["questions"] == 5
    assert against_base["better"] == sum(tuned["right"] > base["right"] for tuned, base in pairs)
    assert against_base["worse"] == sum(tuned["right"] < base["right"] for tuned, base in pairs)
    first = found["chartqa-base"][0]
    assert first["question"].endswith("Answer the question with a single word.")
    assert first["group"] in ("human", "augmented")
    assert "row 0" in first["where"]
    assert found["chartqa-base"] != found["chartqa-tuned"]


def test_an_interrupted_eval_goes_on_where_it_was(
    sources: list[Source], adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    evaluate(job(sources, adapter, whole), Said())
    monkeypatch.setattr("vlmft_trainer.programs.eval.CHUNK", 1)
    monkeypatch.setattr("vlmft_trainer.model.evaluate.ANSWERED_AT_ONCE", 1)
    cut = tmp_path / "cut"

    def stop_after_four(name: str, value: Any) -> None:
        if name == "progress" and value["done"] == 4 and value["side"] == "tuned":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(job(sources, adapter, cut), stop_after_four)
    with (cut / "chartqa-tuned.jsonl").open("a") as file:
        file.write('{"index": 4, "predic')  # killed in the middle of a line
    kept_before = answered_lines(cut / "chartqa-tuned.jsonl")[:4]
    said = Said()
    evaluate(job(sources, adapter, cut), said)
    starts = [value["done"] for name, value in said.all if name == "progress" and value["task"] == "chartqa"]
    assert starts == [5, 4, 5]
    assert answered_lines(cut / "chartqa-tuned.jsonl")[:4] == kept_before
    assert answered(cut) == answered(whole)


def answered_lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def test_a_cut_line_does_not_count_and_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    assert kept(file) == []
    file.write_text('{"prediction": "12"}\n{"prediction": "1')
    assert kept(file) == ["12"]
    assert file.read_text() == '{"prediction": "12"}\n'


@pytest.mark.parametrize("line", ["xx", "[]", "{}", '{"prediction": "\\ud"}', '{"prediction": 3}', "[" * 10_000])
def test_a_damaged_answer_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(f'{{"prediction": "12"}}\n{line}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: no answer of an eval \(delete it and those after it"):
        kept(file)


@pytest.mark.parametrize("content", ["", "[]", '{"a": ', "\0\0", "[" * 10_000])
def test_a_damaged_record_of_an_eval_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "eval.json").write_text(content)
    with pytest.raises(DataError, match=r"eval\.json is damaged: no JSON object"), claim(tmp_path, {"limit": 2}):
        pass


def test_answers_of_another_eval_are_never_mixed_in(sources: list[Source], adapter: Path, tmp_path: Path) -> None:
    evaluate(job(sources, None, tmp_path, limit=1), Said())
    with pytest.raises(VlmftError, match="holds the answers of another eval"):
        evaluate(job(sources, None, tmp_path, limit=2), Said())
    with pytest.raises(VlmftError, match="holds the answers of another eval"):
        evaluate(job(sources, adapter, tmp_path, limit=1), Said())


def test_answers_to_data_that_has_changed_are_never_mixed_in(tmp_path: Path) -> None:
    data, folder = tmp_path / "mine.json", tmp_path / "eval"

    def ask(answer: str) -> Said:
        data.write_text(json.dumps([{"question": f"q{number}", "answer": answer} for number in range(40)]))
        said = Said()
        evaluate(job([Source(task="qa", path=str(data))], None, folder, limit=1), said)
        return said

    ask("yes")
    assert not any("do not say of which samples" in str(value) for _, value in ask("yes").all)
    with pytest.raises(DataError, match=r"are to other samples: .*choose another folder with -o, or delete this one"):
        ask("no")
    record = json.loads((folder / "eval.json").read_text())
    del record["samples"]  # as an older version left it
    (folder / "eval.json").write_text(json.dumps(record))
    assert any("do not say of which samples they are" in str(value) for _, value in ask("no").all)


def test_two_evals_never_write_to_one_folder(tmp_path: Path) -> None:
    with (
        claim(tmp_path, {"v": 1}),
        pytest.raises(VlmftError, match="another eval is writing"),
        claim(tmp_path, {"v": 1}),
    ):
        pass
    with claim(tmp_path, {"v": 1}):
        pass


def test_one_task_is_asked_alone_and_an_unknown_one_is_a_mistake(sources: list[Source], tmp_path: Path) -> None:
    said = Said()
    evaluate(job(sources, None, tmp_path / "one", task="textvqa", limit=2), said)
    assert said.last("scores").keys() == {"textvqa"}
    assert said.last("scores")["textvqa"].keys() == {"base"}
    with pytest.raises(DataError, match="no eval samples of llava"):
        evaluate(job(sources, None, tmp_path / "none", task="llava"), said)


def test_a_broken_adapter_is_a_users_mistake(sources: list[Source], adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no adapter_model"):
        evaluate(job(sources, tmp_path, tmp_path / "a"), Said())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    (broken / "adapter_model.safetensors").write_bytes((adapter / "adapter_model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match=f"adapter {broken}"):
        evaluate(job(sources, broken, tmp_path / "b"), Said())


def test_an_adapter_that_cannot_be_taken_off_its_base_is_not_compared_with_it(
    sources: list[Source], adapter: Path, tmp_path: Path
) -> None:
    """PEFT would let the base answer with the adapter's biases."""
    biased = tmp_path / "biased"
    biased.mkdir()
    (biased / "adapter_model.safetensors").write_bytes((adapter / "adapter_model.safetensors").read_bytes())
    config = json.loads((adapter / "adapter_config.json").read_text()) | {"bias": "all"}
    (biased / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="changes biases of the base"):
        evaluate(job(sources, biased, tmp_path / "a"), Said())
