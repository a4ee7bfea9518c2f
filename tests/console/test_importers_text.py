"""Training logs printed to a terminal: Hugging Face's dicts and DeepSpeed's lines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.console.foreign_logs import DEEPSPEED, HF5_STDOUT, HF_STDOUT, RANKS_STDOUT, evals, notes, read_all, steps
from vlmft_console.history.importers import open_foreign
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed import console_text
from vlmft_console.history.importers.printed.console_text import ConsoleText, Needles
from vlmft_console.history.importers.printed.deepspeed import NEEDLES


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "train.log"


def test_dicts_among_bars_become_steps_in_their_own_order(log: Path) -> None:
    log.write_bytes(HF_STDOUT)
    reader = open_foreign(log)
    records = read_all(log)
    assert reader.format == "hf_stdout"
    assert steps(records) == [(1, 2.5), (2, 2.25), (3, 2.0)]  # and not 30, 31, as the bars beside them say
    assert evals(records) == [(2, 2.125)]
    assert [record["event"] for record in records][-1] == "run_end"
    first = next(record for record in records if record["event"] == "step")
    assert (first["lr"], first["grad_norm"], first["nonfinite"], first["epoch"]) == (0.0002, None, ["grad_norm"], 0.1)


def test_a_log_without_steps_says_so_once(log: Path) -> None:
    log.write_bytes(HF_STDOUT)
    assert len([note for note in notes(read_all(log)) if "names no steps" in note]) == 1


def test_a_dict_within_another_has_the_step_that_stands_beside_it(log: Path) -> None:
    lines = (
        f'INFO :: {{"event": "log", "step": {at}, "metrics": {{"train/loss": {9 - at / 100}}}}}'
        for at in (100, 200, 300)
    )
    log.write_text("\n".join(lines) + "\n")
    reader, records = open_foreign(log), read_all(log)
    assert (reader.format, steps(records)) == ("hf_stdout", [(100, 8.0), (200, 7.0), (300, 6.0)])
    assert not notes(records)


def test_string_values_worker_prefixes_and_wrapped_lines_are_read(log: Path) -> None:
    log.write_bytes(HF5_STDOUT)
    records = read_all(log)
    assert steps(records) == [(1, 2.431), (2, 0.0144)]
    assert evals(records) == [(2, 0.1354)]  # printed again with more digits, it is the same eval
    first = next(record for record in records if record["event"] == "step")
    assert (first["lr"], first["grad_norm"], first["token_accuracy"]) == (0.0, 18.88, 0.5209)


def test_two_hosts_count_once_in_whatever_order_they_come(log: Path) -> None:
    one, two = (
        "{'loss': 1.764, 'learning_rate': 2e-05, 'epoch': 0.8}",
        "{'loss': 0.6, 'learning_rate': 1e-05, 'epoch': 1}",
    )
    log.write_text(f"10.0.0.8: {one}\n10.0.0.9: {one}\n10.0.0.9: {two}\n10.0.0.8: {two}\n10.0.0.8: {two}\n")
    assert steps(read_all(log)) == [(1, 1.764), (2, 0.6), (3, 0.6)]


def test_three_hosts_that_each_print_a_dict_twice_count_it_twice(log: Path) -> None:
    one = "{'loss': 1.75, 'epoch': 0.5}"
    log.write_text("".join(f"10.0.0.{host}: {one}\n" for host in (1, 1, 2, 2, 3, 3)))
    assert steps(read_all(log)) == [(1, 1.75), (2, 1.75)]


def test_of_many_dicts_the_latest_are_remembered_for_a_host_that_prints_late(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_text, "_REMEMBERED", 4)
    lines = [f"{{'loss': {number}.5, 'epoch': 0.{number}}}\n" for number in range(1, 10)]
    log.write_text("".join(f"10.0.0.1: {line}" for line in lines) + "".join(f"10.0.0.2: {line}" for line in lines[-4:]))
    assert steps(read_all(log)) == [(number, number + 0.5) for number in range(1, 10)]


def test_a_dict_that_keeps_coming_is_not_forgotten(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_text, "_REMEMBERED", 2)
    log.write_text(
        "".join(
            f"10.0.0.{host}: {{'loss': {loss}, 'epoch': 0.5}}\n"
            for host, loss in ((1, 7.5), (1, 1.5), (1, 7.5), (1, 2.5), (2, 7.5), (2, 7.5))
        )
    )
    assert steps(read_all(log)) == [(1, 7.5), (2, 1.5), (3, 7.5), (4, 2.5)]


def test_a_line_of_deepspeeds_at_the_very_start_is_read() -> None:
    assert Needles(b"skipped=1", 0).next(0) == (0, b"skipped=")
    parser = ConsoleText(Translator("log"), deepspeed_steps=True)
    assert notes(parser.feed(b"OVERFLOW! Rank 0 Skipping step.\n")) == [
        "DeepSpeed skipped steps: the gradients overflowed"
    ]


def test_a_line_without_an_end_is_given_up_and_what_follows_is_read() -> None:
    parser = ConsoleText(Translator("log"), deepspeed_steps=True)
    parser.feed(b"step=1, skipped=0, lr=" + b"x" * 4000)
    assert steps(parser.feed(b"x" * 1000 + b" {'loss': 1.5, 'epoch': 0.5}\n")) == [(1, 1.5)]


def test_a_line_torn_by_another_rank_is_rejected_and_the_other_is_read(log: Path) -> None:
    log.write_text("{'loss': 1.5, 'grad_no{'loss': 1.25, 'epoch': 0.5}\n{'loss': 1.0, 'epoch': 0.6}\n")
    reader = open_foreign(log)
    assert steps(reader.read()) == [(1, 1.25), (2, 1.0)]
    assert reader.rejected == 1


def test_spellings_that_no_parser_of_python_or_json_takes(log: Path) -> None:
    log.write_text(
        "Step:      3 {'loss': 2.4395, 'grad_norm': inf, 'learning_rate': 8e-06, 'epoch': 0.0175}\n"
        "08:38:52 | INFO | {'loss': tensor(0.3005, device='cuda:0'), 'global_step': 4320, 'grad_norm': None}\n"
        '{\n    "loss": 6.5,\n    "grad_norm": nan,\n    "learning_rate": "0.000e+00",\n    "epoch": 0.01,\n}\n'
    )
    records = read_all(log)
    assert steps(records) == [(3, 2.4395), (4320, 0.3005), (4321, 6.5)]
    assert open_foreign(log).read()[1]["nonfinite"] == ["grad_norm"]


def test_deepspeed_tells_rates_skipped_steps_and_perplexities(log: Path) -> None:
    log.write_bytes(DEEPSPEED)
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, reader.entries, reader.rejected, reader.named_steps) == ("deepspeed", 2, 0, True)
    rates = [(record["step"], record["lr"], record["skipped_steps"]) for record in records if record["event"] == "step"]
    assert rates == [(10, 9.6e-06, 1), (20, 4.8e-06, 1)]
    assert steps(records) == [(10, None), (20, None)]
    assert evals(records) == [(0, pytest.approx(math.log(4998.3))), (20, 1.0)]
    assert notes(records) == ["DeepSpeed skipped steps: the gradients overflowed"]


def test_deepspeed_lines_beside_a_trainers_dicts_only_count_the_skipped_steps(log: Path) -> None:
    log.write_bytes(DEEPSPEED + HF_STDOUT)
    records = read_all(log)
    assert open_foreign(log).format == "hf_stdout"
    assert steps(records) == [(1, 2.5), (2, 2.25), (3, 2.0)]
    assert {record["skipped_steps"] for record in records if record["event"] == "step"} == {1}


def test_two_trainings_in_one_log_are_two_starts(log: Path) -> None:
    log.write_bytes(HF_STDOUT + HF_STDOUT)
    records = read_all(log)
    assert [record["segment"] for record in records if record["event"] == "run_start"] == [1, 2]
    assert steps(records)[-1] == (3, 2.0)


def test_a_training_that_goes_on_after_its_end_keeps_counting(log: Path) -> None:
    log.write_bytes(HF_STDOUT + HF_STDOUT.replace(b"'epoch': 0.", b"'epoch': 1."))
    records = read_all(log)
    assert [record["resumed_from"] for record in records if record["event"] == "run_start"] == [None, 3]
    assert steps(records)[-1] == (6, 2.0)


def test_what_a_log_does_not_hold_is_looked_for_once_however_many_lines_it_has() -> None:
    class Text(bytes):
        searched = 0

        def find(self, *args: Any) -> int:
            Text.searched += len(self)
            return super().find(*args)

    text = Text(b"".join(b"step=%d, skipped=0, lr=[1e-05]\n" % number for number in range(100)))
    ahead, at, found = Needles(text, 0), 0, 0
    while (place := ahead.next(at)[0]) >= 0:
        at, found = place + 1, found + 1
    assert found == 100
    assert Text.searched <= (len(NEEDLES) + found) * len(text)


def test_ranks_behind_torchrun_s_prefix_count_once_and_numpy_s_numbers_are_numbers(log: Path) -> None:
    log.write_bytes(RANKS_STDOUT)
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.entries, reader.rejected) == (7, 0)
    assert [step for step, _ in steps(records)] == [1, 2, 3, 1, 2, 3, 4]
    assert {record["grad_norm"] for record in records if record["event"] == "step"} == {0.5}


def test_dicts_of_named_eval_sets_and_of_other_metrics_are_read(log: Path) -> None:
    log.write_text(
        "{'loss': 2.5, 'epoch': 1.0}\n{'batch_size': 4, 'optim': 'adamw', 'epoch': 3}\n"
        "{'eval_a_loss': 2.0, 'eval_a_runtime': 1.0, 'epoch': 1.0}\n{'eval_b_loss': 4.0, 'epoch': 1.0}\n"
        "{'eval_wer': 0.25, 'epoch': 1.0}\n{'eval_a_loss': 1.5, 'ep"
    )
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.entries, reader.rejected) == (4, 0)
    assert evals(records) == [(1, 2.0)]
    told = [record["metrics"] for record in records if record["event"] == "metrics"]
    assert told == [{"eval_b_loss": 4.0}, {"eval_wer": 0.25}]


def test_dicts_of_evals_alone_are_read_as_such(log: Path) -> None:
    summary = "{'train_runtime': 300.0, 'train_loss': 0.41, 'epoch': 3.0}\n"
    log.write_text("".join(f"{{'eval_loss': {1 + epoch}, 'epoch': {epoch}.0}}\n" for epoch in (1, 2, 3)) + summary)
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, steps(records), len(evals(records))) == ("hf_stdout", [], 3)


def test_dicts_that_rich_has_coloured_are_read_wherever_they_are_cut(log: Path) -> None:
    name, value, brace = "\x1b[32m{}\x1b[0m", "\x1b[1;36m{}\x1b[0m", "\x1b[1m{}\x1b[0m"
    items = [
        ", ".join(f"{name.format(repr(key))}: {value.format(told)}" for key, told in (("loss", loss), ("epoch", at)))
        for at, loss in ((1, 2.5), (2, 2.25))
    ]
    text = "".join(f"{brace.format('{')}{each}{brace.format('}')}\n" for each in items).encode()
    whole = [(1, 2.5), (2, 2.25)]
    log.write_bytes(text)
    assert steps(read_all(log)) == whole
    parser = ConsoleText(Translator("run"), deepspeed_steps=False)
    assert steps([record for at in range(len(text)) for record in parser.feed(text[at : at + 1])]) == whole


def test_a_word_before_a_dict_says_that_it_is_of_an_eval(log: Path) -> None:
    log.write_text(
        'Training step 10: {"loss": 2.5, "lr": 0.1}\nEvaluation step 10: {"loss": 2.125}\n'
        "train and val step 20: {'loss': 2.25, 'lr': 0.1}\neval.py:88: {'loss': 2.0, 'lr': 0.1}\n"
    )
    records = read_all(log)
    assert [loss for _, loss in steps(records)] == [2.5, 2.25, 2.0]
    assert [loss for _, loss in evals(records)] == [2.125]
