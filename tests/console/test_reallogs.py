"""Every importer against public logs of real runs, whose figures were worked out independently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vlmft_console.commands.check import Judgement, judge
from vlmft_core.errors import VlmftError

ROOT = Path(__file__).parents[3] / "shared" / "reallogs"

DIFFERENCES: dict[tuple[str, str], str] = {
    (
        "deepspeedai__DeepSpeedExamples__step1_sft_opt-1.3b.log",
        "evals",
    ): "the truth lists the 17 perplexities apart; here each is an eval with loss ln(ppl), as DeepSpeed-Chat means it",
    (
        "microsoft__GUI-Actor__issue20_excerpt_huge_gradnorm.log",
        "scheduler",
    ): "the first 7 rates of a schedule: a cosine fits them to 1e-9 of the peak, the truth's line to 1e-6",
}
"""Where the truth and the importer part, and why that is right."""

REFUSED = {
    "112292454__ChatGLM-Efficient-Tuning-main__nohup.out": "holds no training record",
    "P4P4N1CK__whisper-large-v2-japanese-5k-steps__lfs-pointer": "git-LFS pointer",
    "boostcampaitech6__level2-nlp-datacentric-nlp-05__run-c4gltoob__console": "holds no training record",
}
"""How the names of files begin that are no training logs, and what is said of them."""

KINDS = {"": "unknown", "linear+warmup": "linear", "cosine+warmup": "cosine"}
"""The truth's words for a schedule in ours."""


def truths() -> Iterator[Any]:
    if not ROOT.is_dir():
        yield pytest.param({}, marks=pytest.mark.skip(reason="needs ../shared"))
        return
    for line in (ROOT / "truth.jsonl").read_text().splitlines():
        truth = json.loads(line)
        yield pytest.param(truth, id=truth["file"])


@pytest.mark.parametrize("truth", truths())
def test_counts_and_extremes_equal_the_truth(truth: dict[str, Any]) -> None:
    judged = judge(ROOT / truth["file"])
    tally, apart = judged.tally, {what for (name, what) in DIFFERENCES if truth["file"].endswith(name)}
    assert judged.records == truth["records"]
    assert judged.log.rejected == 0
    assert tally.loss.points == truth["n_train"]
    assert (tally.loss.first, tally.loss.last) == (truth["first_loss"], truth["last_loss"])
    assert (tally.grad_norm.points > 0, tally.grad_norm.highest) == (truth["has_grad_norm"], truth["gn_max"])
    assert tally.nonfinite == truth["n_nan"]
    if "evals" in apart:
        assert tally.eval_loss.points == len(truth["ppl"])
    else:
        assert tally.eval_loss.points == truth["n_eval"]
        assert (tally.eval_loss.lowest, tally.eval_loss.last) == (truth["eval_min"], truth["eval_last"])
        assert _best_step(judged) == truth["eval_min_step"]
    if "scheduler" not in apart:
        _check_schedule(judged, truth)


def _best_step(judged: Judgement) -> int | None:
    best = judged.tally.best_eval
    return best["step"] if best and judged.named_steps else None


def _check_schedule(judged: Judgement, truth: dict[str, Any]) -> None:
    found = judged.schedule
    assert found.kind == KINDS.get(truth["scheduler"], truth["scheduler"])
    if truth["scheduler"].endswith("+warmup"):
        assert found.warmup_steps
    if truth["sched_err"] is not None:
        # The truth rounds to 1e-6, and leaves out steps that fp16 skipped at the start.
        assert found.max_deviation is not None
        assert found.max_deviation <= truth["sched_err"] + 1.1e-3


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_training_log_is_refused_with_a_reason(shared: Path, name: str) -> None:
    (path,) = (shared / "reallogs" / "other").glob(f"{name}*")
    with pytest.raises(VlmftError, match=REFUSED[name]):
        judge(path)


def test_the_excerpts_that_no_parser_gets_right_are_read_without_a_crash(shared: Path) -> None:
    judged = judge(shared / "reallogs" / "other" / "tricky_excerpts.md")
    assert judged.tally.loss.points == 11
    assert judged.log.rejected == 4  # dicts that the collector shortened to "..."


def test_a_console_log_and_its_wandb_file_tell_the_same_losses(shared: Path) -> None:
    console = judge(shared / "reallogs" / "stdout" / "1BIMU__UASFT__run-aaspntuu__console_from_wandb.log").tally
    wandb = judge(shared / "reallogs" / "wandb" / "1BIMU__UASFT__run-aaspntuu.wandb").tally
    assert console.loss == wandb.loss
    assert console.grad_norm == wandb.grad_norm


def test_every_other_file_of_the_collection_is_judged(shared: Path) -> None:
    files = [path for path in (shared / "reallogs").rglob("*") if path.is_file() and path.parent.name != "reallogs"]
    assert len(files) > 60
    for path in files:
        if not path.name.startswith(tuple(REFUSED)):
            assert judge(path).log.format
