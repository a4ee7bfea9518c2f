"""Small logs of the kinds that once went wrong, against what is right for each; they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmft_console.commands.check import judge
from vlmft_core.health import CAUTION, STOP

PLAIN = (30, 6, "")
KINDS = {
    "01_named_eval_sets__trainer_state.json": (10, 10, STOP),
    "02_stdout_evals_only_overfit.log": (0, 10, STOP),
    "02c_stdout_last_eval_without_new_loss.log": (40, 5, STOP),
    "02d_same_evals_with_steps__trainer_state.json": (0, 10, STOP),
    "03_val_loss.jsonl": (50, 10, STOP),
    "05_plain_keys.wandb": (40, 0, ""),
    "06_other_tags.tfevents": (20, 20, STOP),
    "08_overfit_after_a_spike__trainer_state.json": (22, 11, STOP),
    "11_plain.log": PLAIN,
    "11c_ansi.log": PLAIN,
    "11d_srun_l.log": PLAIN,
    "11e_crlf.log": PLAIN,
    "11h_torchrun_tee.log": PLAIN,
    "11i_k8s_time.log": PLAIN,
    "11j_python_logging.log": PLAIN,
    "11k_srun_l_two_tasks.log": PLAIN,
    "11l_json_double_quotes.log": PLAIN,
    "11m_np_float.log": PLAIN,
    "11n_script_typescript.log": PLAIN,
    "12_crash_and_restart.log": (29, 0, ""),
    "14_two_writers__trainer_log.jsonl": (40, 0, ""),
    "16_ctc_scale__trainer_state.json": (11, 11, ""),
    "18_tracked_metric_improves__trainer_state.json": (50, 5, CAUTION),
    "19_accuracy_equal_figures.log": (60, 6, ""),
    "20_train_loss_summed__trainer_state.json": (40, 8, ""),
    "23_resume__trainer_log.jsonl": (45, 0, ""),
    "24_log_history_list.json": (20, 4, ""),
    "24b_log_history_list_compact.json": (20, 4, ""),
    "25_one_spike_at_first_step__trainer_state.json": (40, 0, ""),
}
"""Training records, evals, and the gravest finding."""

NOTHING = {
    "04_empty_history__trainer_state.json": "a trainer_state with an empty log_history",
    "05c_system_metrics_only.wandb": "a run without history",
}


@pytest.mark.parametrize("name", KINDS)
def test_a_hard_log_is_read_whole_and_judged_right(shared: Path, name: str) -> None:
    judged = judge(shared / "cases" / "logs" / name)
    gravest = {finding.severity for finding in judged.findings}
    told = next((severity for severity in (STOP, CAUTION) if severity in gravest), "")
    assert (judged.tally.loss.points, judged.tally.eval_loss.points, told) == KINDS[name]
    assert (judged.log.rejected, judged.nothing_to_judge) == (0, "")


@pytest.mark.parametrize("name", NOTHING)
def test_a_log_that_tells_nothing_gets_no_verdict(shared: Path, name: str) -> None:
    assert NOTHING[name] in judge(shared / "cases" / "logs" / name).nothing_to_judge
