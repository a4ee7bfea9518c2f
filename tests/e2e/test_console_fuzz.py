"""Hostile logs and names on the real screen: no crash, and no control sequence of theirs reaches the terminal."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.hostile import MARK, Hostile, foreign_controls
from tests.in_terminal import Terminal, terminal
from tests.kept_answers import keep, question
from tests.run_folders import ended_run

BURST = 1000
"""Lines added at once: what the log pane takes in at one look."""
KEYS = (b"1", b"4", b"4", b"5", b"6", b"\t", b"f", b"f", b"j", b"k", b"c", b"g", b"+", b"\x1b[A")
RUNS = 40
SIZES = ((80, 24), (120, 40), (40, 12), (200, 60))


def test_no_control_sequence_of_a_log_or_a_name_reaches_the_terminal(tmp_path: Path, rounds: int) -> None:
    hostile, dice = Hostile(1), random.Random(2)
    run = ended_run(tmp_path / "outputs", f"{MARK}\x1b]0;x\x07[bold]\x1b[2J\u202e")
    run.preset_file.write_text("{}\n")
    plain = run.logs / "training_20260102T000000Z.log"
    plain.write_bytes(b"begin\n")
    bursts = (1_000_000 if rounds else 20_000) // (2 * BURST)
    with terminal(tmp_path, "--notify", "none", str(run.path), size=(120, 40)) as console:
        console.wait_until_shown("finished")
        for burst in range(bursts):
            for key in dice.choices(KEYS, k=4):
                console.press(key)
            if burst % 5 == 4:
                console.resize(*dice.choice(SIZES))
            with run.events_file().open("ab") as events:
                events.writelines(hostile.record(burst * BURST + number) + b"\n" for number in range(BURST))
            with plain.open("ab") as log:
                log.writelines(hostile.line() + b"\n" for _ in range(BURST))
                log.write(f"burst {burst} is over\n".encode())
            console.press(b"7G")
            console.wait_until_shown(f"burst {burst} is over")
        leave(console)
    assert_harmless(console.written)
    assert rf"\x1b]0;{MARK}" in console.written.decode()


def test_no_control_sequence_of_a_name_in_the_list_of_runs_reaches_the_terminal(tmp_path: Path) -> None:
    hostile = Hostile(3)
    for number in range(RUNS):
        run = ended_run(
            tmp_path / "outputs",
            f"{number:02} {hostile.name()}",
            status="failed",
            reason=hostile.text(),
            steps=2,
            preset=hostile.text(),
        )
        tags = [hostile.text()] if number % 4 == 0 else ["sweep"]
        run.labels_file.write_text(json.dumps({"tags": tags, "note": hostile.text()}))
    with terminal(tmp_path, "--notify", "none", size=(120, 40)) as console:
        console.wait_until_shown(" runs, 0 live")
        for key in b"jjjj jjjj jjjjjjjjGkkkgd":
            console.press(bytes([key]))
            console.read(0.05)
        console.wait_until_shown("cancel")
        console.press(b"\x1b")
        while "cancel" in console.shown():
            assert console.read(0.1)
        console.press(b"/" + MARK.encode())
        console.wait_until_shown(f"{RUNS} match")
        leave(console)
    assert_harmless(console.written)


def test_no_control_sequence_of_a_metric_or_an_answer_reaches_the_terminal(tmp_path: Path, rounds: int) -> None:
    hostile, dice = Hostile(4), random.Random(5)
    run = ended_run(tmp_path / "outputs", "hostile")
    run.preset_file.write_text("{}\n")
    kept = [question(number, text=hostile.text(), truth=[hostile.text(), hostile.text()]) for number in range(20)]
    keep(run.path, kept, {step: [hostile.text() for _ in kept] for step in range(0, 100, 10)})
    with terminal(tmp_path, "--notify", "none", str(run.path), size=(120, 40)) as console:
        console.wait_until_shown("finished")
        for burst in range(100 if rounds else 4):
            console.resize(*((80, 24), (120, 40), (70, 20))[burst % 3])
            with run.events_file().open("ab") as events:
                events.writelines(hostile.record(burst * BURST + number) + b"\n" for number in range(BURST))
                last = {"event": "step", "step": 10**6 + burst, "epoch": 1.0, "loss": 0.5, "lr": 1e-4, "grad_norm": 1.0}
                last |= {"v": 1, "seq": 1, "t": 1.7e9, "mono": 1.0} | dict.fromkeys(hostile.metrics, 0.5)
                events.write(json.dumps(last).encode())
                events.write(b"\n")
            console.press(b"m")
            console.wait_until_shown("metrics, page")
            console.press(b"/")
            console.wait_until_shown("cancel")
            console.press(b"^.*$\r")
            console.wait_until_shown("metrics, page")
            for key in dice.choices((b"n", b"N", b"\t", b"+", b"-"), k=10):
                console.press(key)
            back(console, "metrics, page")
            console.press(b"v")
            console.wait_until_shown("answers of hostile")
            for key in dice.choices((b"j", b"k", b"G", b"\x1b[C", b"\x1b[D", b"w", b"c", b"\t"), k=12):
                console.press(key)
            back(console, "answers of hostile")
        leave(console)
    assert_harmless(console.written)


def back(console: Terminal, word: str) -> None:
    """Leave the screen that shows `word`; a key more would leave the run."""
    console.press(b"q")
    while word in console.shown():
        assert console.read(0.1)


def leave(console: Terminal) -> None:
    console.press(b"\x11")
    console.wait_until_given_back()
    assert console.status() == 0, console.written[-2000:]


def assert_harmless(written: bytes) -> None:
    assert foreign_controls(written) == []
    assert MARK.encode() in written
