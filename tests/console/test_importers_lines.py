"""Logs of lines in whatever words: dozens of trainers' own, and texts that only resemble them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import orjson
import pytest

from tests.console.foreign_logs import evals, read_all, steps
from tests.console.text_logs import FIRST, SAMPLES, SILENT, THREE
from vlmft_console.history.importers import NothingYet, open_foreign
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.line_log import LineLog
from vlmft_core.run_folder.events import Record, parse


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "train.log"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_lines_of_a_trainer_become_its_steps_and_evals(log: Path, name: str) -> None:
    sample = SAMPLES[name]
    log.write_text(sample.text)
    records = read_all(log)
    assert steps(records) == sample.steps
    assert evals(records) == list(sample.evals)
    assert open_foreign(log).format == "text"


def test_a_metric_keeps_all_words_of_its_name(log: Path) -> None:
    log.write_text(SAMPLES["megatron"].text)
    (names,) = {tuple(record["metrics"]) for record in read_all(log) if record["event"] == "step"}
    assert names[-2:] == ("number of skipped iterations", "number of nan iterations")


@pytest.mark.parametrize(
    ("encoding", "train", "val"),
    [
        ("cp1252", "Verlust für Training", "Verlust für Validierung"),
        ("gb18030", "训练损失", "验证损失"),
        ("cp932", "訓練損失", "検証損失"),
        ("cp1251", "потери на обучении", "потери на валидации"),
    ],
)
def test_a_log_of_an_older_windows_is_read_as_one_in_utf_8(log: Path, encoding: str, train: str, val: str) -> None:
    text = "".join(f"Epoch {epoch}: {train} = {4 - epoch / 2}, {val} = 2.125\n" for epoch in (1, 2, 3))
    log.write_text(text)
    told = read_all(log)
    assert evals(told) == [(1, 2.125), (2, 2.125), (3, 2.125)]
    log.write_text(text, encoding=encoding)
    assert read_all(log) == told


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ("Training complete in 5m 12s", True),
        ("2025-01-01 00:00:00 - INFO - Finished training.", True),
        ("Saved final weights to adapters.safetensors.", True),
        ("Training: 50% done", False),
        ("Training complete: 50 %", False),
        ("Training set: 1,000 samples", False),
    ],
)
def test_a_training_has_ended_once_its_program_says_so_after_all_figures(log: Path, said: str, ended: bool) -> None:
    log.write_text(f"epoch 1 loss 2.5\n{said}\nepoch 2 loss 2.25\n{said}\n")
    events = [record["event"] for record in read_all(log) if record["event"] in ("run_start", "step", "run_end")]
    assert events == ["run_start", "step", "step", *["run_end"] * ended]


@pytest.mark.parametrize("spelled", ["-1.#IND", "1.#QNAN", "1.#INF00", "-nan", "-nan(ind)", "inf"])
def test_what_is_no_number_is_told_in_any_spelling(log: Path, spelled: str) -> None:
    log.write_text("".join(f"step {step} loss {loss} lr 0.1\n" for step, loss in ((1, 2.5), (2, 2.25), (3, spelled))))
    assert [record["loss"] for record in read_all(log) if record["event"] == "step"] == [2.5, 2.25, None]


@pytest.mark.parametrize(
    "envelope",
    [
        '[{{"stream_name":"stderr","time":1.5,"data":{0}}}\n,{{"stream_name":"stdout","time":1.5,"data":{1}}}\n]',
        '[{{"stream_name": "stderr", "time": 1, "data": {0}}}, {{"stream_name": "stdout", "time": 2, "data": {1}}}]',
        '{{"log":{0},"stream":"stderr","time":"2025-01-01T00:00:00.1Z"}}\n{{"log":{1},"stream":"stdout","time":""}}\n',
    ],
)
@pytest.mark.parametrize("name", ["torchtune", "the newest eval beside every step", "YOLO's bars with a total"])
def test_what_was_printed_is_read_out_of_the_objects_that_kaggle_and_docker_keep_it_in(
    log: Path, name: str, envelope: str
) -> None:
    sample = SAMPLES[name]
    half = len(sample.text) // 2
    log.write_text(envelope.format(json.dumps(sample.text[:half]), json.dumps(sample.text[half:])))
    records = read_all(log)
    assert (steps(records), evals(records)) == (sample.steps, list(sample.evals))


BEFORE = {
    "journald": "May 01 10:00:0{} gpu-07 train.sh[1234]: ",
    "kubectl": "[pod/trainer-0/main] ",
    "compose": "trainer-1  | ",
    "torchrun": "[rank0]: ",
    "a container's time": "2025-01-01T10:00:0{}.123456Z ",
    "an indent": "    ",
}


@pytest.mark.parametrize("collector", BEFORE)
def test_what_a_collector_puts_before_every_line_changes_nothing(log: Path, collector: str) -> None:
    for name, sample in SAMPLES.items():
        if name == "pm2":  # which has put something there itself
            continue
        lines = sample.text.split("\n")
        before = [BEFORE[collector].format(at % 10) + line for at, line in enumerate(lines[:-1])]
        log.write_text("\n".join([*before, lines[-1] and BEFORE[collector].format(0) + lines[-1]]))
        records = read_all(log)
        assert (name, steps(records), evals(records)) == (name, sample.steps, list(sample.evals))


@pytest.mark.parametrize("logger", ["INFO Epoch", "main.trainer epoch"])
def test_an_epoch_in_brackets_is_not_taken_for_the_number_of_a_process(log: Path, logger: str) -> None:
    log.write_text("".join(f"2025-01-01 10:00:00 {logger}[{at}]: train_loss {4 - at} lr 1\n" for at in (1, 2, 3)))
    assert [record["epoch"] for record in read_all(log) if record["event"] == "step"] == [1, 2, 3]


def test_of_two_services_none_is_dropped_for_the_other(log: Path) -> None:
    log.write_text(
        "".join(
            f"train-1  | step {step} loss {loss} lr 1\nexam-1  | step {step} eval_loss {loss + 1}\n"
            for step, loss in THREE
        )
    )
    records = read_all(log)
    assert (steps(records), evals(records)) == (THREE, [(step, loss + 1) for step, loss in THREE])


RANKS = {
    "torchrun": "[rank{}]: ",
    "a number": "[{}]:",
    "kubectl": "[pod/trainer-{}/main] ",
    "compose": "trainer-{}  | ",
    "mpirun": "[1,{}]<stdout>:",
    "torchrun in a container": "trainer-1  | [rank{}]: ",
    "torchrun in a pod": "[pod/trainer-0/main] [rank{}]: ",
    "a time and torchrun": "2025-01-01T10:00:00.123456Z [rank{}]: ",
}
WRITTEN = {
    "bars": "\r{0}0%|   | {0}/30 [00:01<00:02, 9.0it/s, loss={1}]",
    "bars that are drawn again": "0%|   | {0}/30 [00:00<?]\r1%|#  | {0}/30 [00:01<00:02, 9.0it/s, loss={1}]\r",
    "lines": "step {0} loss {1} lr 0.1",
}


def _told_by_two(prefix: str, template: str, apart: int) -> str:
    """What two ranks print, the second of them first once; their losses differ by `apart`."""
    return "".join(
        prefix.format(rank) + template.format(step, loss + rank * apart) + "\n"
        for step, loss in THREE
        for rank in ((0, 1) if step != 20 else (1, 0))
    )


@pytest.mark.parametrize("launcher", RANKS)
@pytest.mark.parametrize("written", WRITTEN)
def test_what_several_ranks_draw_behind_one_prefix_a_line_counts_once(log: Path, written: str, launcher: str) -> None:
    text = _told_by_two(RANKS[launcher], WRITTEN[written], 1)
    log.write_text(text)
    assert steps(read_all(log)) == THREE
    parser = LineLog(Translator("log"))
    told = [record for at in range(len(text)) for record in parser.feed(text[at : at + 1].encode())]
    assert steps([*told, *parser.rest()]) == THREE


@pytest.mark.parametrize(
    ("template", "aside", "kept"),
    [
        ("[rank{}]: step {} loss {}\n", "rank1", "rank0"),
        ("run-{}  | step {} loss {}\n", "run-1", "run-0"),
        ("rank {} step {} loss {}\n", "rank 1", "rank 0"),
    ],
)
def test_what_other_ranks_tell_is_left_aside_and_said_to_be(log: Path, template: str, aside: str, kept: str) -> None:
    log.write_text("".join(template.format(0, step, loss) + template.format(1, step, loss + 1) for step, loss in THREE))
    records = read_all(log)
    assert steps(records) == THREE
    (said,) = [record["message"] for record in records if record["event"] == "note"]
    assert (
        said == f"several print the same training: what {aside} and others print is left aside, that of {kept} counts"
    )
    log.write_text("".join(template.format(0, step, loss) for step, loss in THREE))
    assert not [record for record in read_all(log) if record["event"] == "note"]


@pytest.mark.parametrize("launcher", [name for name in RANKS if " in " not in name])
def test_a_dict_that_several_ranks_print_over_their_bars_counts_once(log: Path, launcher: str) -> None:
    template = "\r 0%|   | 0/30 [00:00<?]\r      \r{{'loss': {1}, 'learning_rate': 0.1}}"
    log.write_text(_told_by_two(RANKS[launcher], " 0%|   | 0/30 [00:00<?]" + template, 0))
    assert steps(read_all(log)) == FIRST


def test_a_dict_that_two_loggers_of_tensorflow_print_counts_once(log: Path) -> None:
    told = "{{'Loss/localization_loss': 1.0,\n 'Loss/total_loss': {1},\n 'learning_rate': 0.04}}\n"
    logger = "I0301 10:00:00.123456 140123456 model_lib_v2.py:708] "
    log.write_text("".join(f"INFO:tensorflow:{told}{logger}{told}".format(*each) for each in (*THREE, (40, 2.0))))
    assert steps(read_all(log)) == [*FIRST, (4, 2.0)]
    log.write_text("".join(f"{logger}{told}".format(*each) for each in (*THREE, (40, 2.0))))
    assert steps(read_all(log)) == [*FIRST, (4, 2.0)]


@pytest.mark.parametrize("name", ["YOLO's bars, the sum of their parts", "YOLO's bars with a total"])
def test_a_bar_of_yolo_that_two_ranks_draw_counts_once(log: Path, name: str) -> None:
    sample = SAMPLES[name]
    lines = sample.text.split("\n")
    log.write_text("".join(f"[rank{at % 2}]: {line}\n[rank{1 - at % 2}]: {line}\n" for at, line in enumerate(lines)))
    assert steps(read_all(log)) == sample.steps


_MEGATRON = (
    " iteration {:8}/    1000 | learning rate: 1.0E-04 | {}loss scale: 1.0 | grad norm: {} | number of skipped"
    " iterations: {:3} | number of nan iterations: {:3} |\n"
)


@pytest.mark.parametrize(
    ("said", "losses"),
    [
        (_MEGATRON.format(30, "", "nan", 10, 10), [2.5, 2.25, None]),
        (_MEGATRON.format(30, "", "nan", 0, 0), [2.5, 2.25, None]),
        (_MEGATRON.format(30, "", "1.0", 10, 0), [2.5, 2.25]),
        ("Loss is nan, stopping training\n" * 2, [2.5, 2.25, None]),
        ("FloatingPointError: Loss became infinite or NaN at iteration=30!\n", [2.5, 2.25, None]),
        ("Batch 30: Invalid loss, terminating training\n", [2.5, 2.25, None]),
        ("Loss is nan at iteration 3\n", [2.5, 2.25, None]),
        ("Loss is nan, skipping batch\n", [2.5, 2.25]),
        ("Loss is NaN: False\n", [2.5, 2.25]),
        ("NaN loss encountered 0 times\n", [2.5, 2.25]),
        ("loss is infinitely better than before\n", [2.5, 2.25]),
    ],
)
def test_a_loss_that_is_no_number_is_told_though_only_words_say_so(
    log: Path, said: str, losses: list[float | None]
) -> None:
    figures = [_MEGATRON.format(step, f"lm loss: {loss} | ", 1.0, 0, 0) for step, loss in ((10, 2.5), (20, 2.25))]
    log.write_text("".join(figures) + said)
    told = [record for record in read_all(log) if record["event"] == "step"]
    assert [record["loss"] for record in told] == losses
    places = [record["step"] for record in told]
    assert places == sorted(set(places))


@pytest.mark.parametrize(
    ("text", "told", "rejected"),
    [
        ("step,loss\n10,2.50\n20,2.25\n30,2.0", [(10, 2.5), (20, 2.25)], 1),
        ("step,loss\n10,2.50\n20,2.25\n30,2.00", [(10, 2.5), (20, 2.25), (30, 2.0)], 0),
        ("step,loss,lr\n10,2.50,1e-04\n20,2.25,1e-04\n30,2.00,1e-", [(10, 2.5), (20, 2.25), (30, 2.0)], 1),
        ("step 10 loss 2.50\nstep 20 loss 2.25\nstep 30 loss 2", [(10, 2.5), (20, 2.25)], 1),
        ("loss 2.50 step 10\nloss 2.25 step 20\nloss 2.00 step 3", [(10, 2.5), (20, 2.25)], 1),
        ("step 10 loss 2.50\nstep 20 loss 2.25\nstep 30 loss 2.00", [(10, 2.5), (20, 2.25), (30, 2.0)], 0),
    ],
)
def test_a_last_line_is_read_unless_it_was_cut_off_in_a_number(
    log: Path, text: str, told: list[tuple[int, float]], rejected: int
) -> None:
    log.write_text(text)
    reader = open_foreign(log)
    assert steps([record for read in iter(reader.read, []) for record in read]) == told
    assert reader.rejected == rejected
    with log.open("a") as file:
        file.write("0\n")
    reader.read()
    assert reader.rejected == 0


def test_a_line_like_the_one_before_counts_though_that_one_was_read_before_its_end(log: Path) -> None:
    log.write_text("loss 2.5 lr 0.1\nloss 2.0 lr 0.1")
    reader = open_foreign(log)
    records = [record for read in iter(reader.read, []) for record in read]
    for more in ("\n", "loss 2.0 lr 0.1\n"):
        with log.open("a") as file:
            file.write(more)
        records += reader.read()
    assert steps(records) == [(1, 2.5), (2, 2.0), (3, 2.0)]


@pytest.mark.parametrize("name", SILENT)
def test_a_text_with_the_words_of_a_training_is_no_training(log: Path, name: str) -> None:
    log.write_text(SILENT[name])
    with pytest.raises(NothingYet):
        open_foreign(log)


def _records(text: bytes, cuts: list[int]) -> list[Record]:
    parser = LineLog(Translator("run"), bare=True)
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [record for piece in pieces for record in parser.feed(piece)] + parser.rest()


@pytest.mark.parametrize("name", SAMPLES)
def test_lines_that_come_in_pieces_give_the_same_records(name: str) -> None:
    text, chance = SAMPLES[name].text.encode(), random.Random(7)
    whole = _records(text, [])
    assert whole
    assert _records(text, list(range(1, len(text)))) == whole
    for _ in range(2):
        assert _records(text, sorted(chance.sample(range(len(text)), 7))) == whole


CASES = {
    "09_megatron.log": (30, (10, 7.6), (300, 1.71711), [(300, 2.1)]),
    "10_torchtune.txt": (30, (1, 1.96), (30, 1.0909686387648738), []),
    "10d_mmengine_xtuner.log": (30, (10, 1.9), (300, 0.4293), []),
    "10g_verl.log": (20, (1, 0.01), (20, 0.2), []),
    "10i_minimind.log": (39, (10, 4.85), (390, 1.5243), []),
    "10k_python_logging_loss.log": (30, (10, 2.7), (300, 0.1272), []),
    "17_torchtitan.log": (30, (1, 7.6), (30, 1.7171), []),
    "17b_nemo_lightning.log": (30, (0, 3.0), (29, 1.24), []),
    "11b_gzip.log.gz": (30, (1, 1.8), (30, 0.0848), None),
    "10f_modded_nanogpt.log": (100, (1, 3.92), (100, 0.5305), None),
}
"""Of each case the training points, the first and the last of them, and the evals."""


@pytest.mark.parametrize("name", CASES)
def test_the_small_cases_are_read_as_they_stand(shared: Path, name: str) -> None:
    count, first, last, measured = CASES[name]
    records = read_all(shared / "cases" / "logs" / name)
    points = steps(records)
    assert (len(points), points[0], points[-1]) == (count, first, last)
    assert measured is None or evals(records) == measured


HOSTILE = {
    "a worker's number without an end": b"(A pid=" + b"1" * 200_000 + b"\rstep 10 loss 2.5\nstep 20 loss 2.0\n",
    "a line without end": b"step: 1 loss: 2.5 lr: 1 " * 100_000,
    "names without end": b"a " * 50_000 + b"loss: 1 step: 2\n",
    "brackets": (b"step [[[[[ loss [" * 200 + b"\n") * 20,
    "digits": b"loss: " + b"1" * 100_000 + b" step: " + b"2" * 100_000 + b"\n",
    "a huge step": b"step: 99999999999999999999999999 loss: 2.5 lr: 1\n" * 3,
    "NULs": b"\x00" * 100_000 + b"step 1 loss 2.5 lr 1\n",
    "columns": b",".join(b"c%d" % number for number in range(100_000)) + b",step,loss\n" + b"1," * 100_001 + b"1\n",
    "no UTF-8": b"\xff\xfe\xfd step: 1 loss: 2.5 \xff: 3\n" * 3,
    "dashes": (b"loss - " * 570 + b"\n") * 20,
    "a bullet": (b"- loss: 2.5 " + b"1" * 1900 + b"a" * 1900 + b"\n") * 3,
    "headings": b"[step=1/2]\n" * 1000 + b"loss: 1\n" * 1000,
    "shapes": b"".join(b"step %d %s loss 2.5 lr 1\n" % (number, b"x" * (number % 300)) for number in range(2000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_lines_are_read_or_passed_over_and_cut_anywhere_alike(name: str) -> None:
    text, chance = HOSTILE[name], random.Random(7)
    whole = _records(text, [])
    assert all(parse(orjson.dumps(record)) == record for record in whole)
    assert _records(text, sorted(chance.sample(range(len(text)), 20))) == whole


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_lines_never_crash_their_reader(name: str) -> None:
    text, chance = SAMPLES[name].text.encode(), random.Random(11)
    for _ in range(5):
        damaged = bytearray(text)
        for _ in range(chance.randrange(1, 20)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        assert all(parse(orjson.dumps(record)) == record for record in _records(bytes(damaged), []))
