"""The live screen: a run from its folder, steering it, leaving it, and logs of other programs."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.looking import screen_text, told, until, until_shown
from tests.records import plan, record, run_start, step, write_log
from tests.run_folders import ended_run
from tests.sample_run import BEGAN, make_sample, sample_records
from tests.supervised import LONG, Supervised
from vlmft_console.app import live_reader
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.screens import live
from vlmft_console.app.screens.log_screen import LogScreen
from vlmft_console.app.screens.replay import ReplayScreen
from vlmft_console.app.widgets.run import run_view
from vlmft_console.history.choice import LAST, Choice
from vlmft_console.history.handover import Handover, Packed
from vlmft_console.history.loading import Progress, ReadLog, read_log
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.stop import StopRequest

SIZES = ((40, 12), (80, 24), (120, 40), (200, 60))


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Supervised]:
    """A live run that would take hours."""
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    yield run
    if not run.folder.exit_file.exists():
        StopRequest("the test is over", now=True).write(run.folder)
        run.wait_for_end()


@pytest.fixture
def long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen rests for an hour after it was drawn."""
    monkeypatch.setattr(run_view, "_SHARE", 1e-9)
    monkeypatch.setattr(run_view, "_LONGEST_REST", 3600.0)


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles of the notifications so far."""
    titles: list[str] = []
    monkeypatch.setattr(VlmftConsole, "on_alert", lambda app, alert: titles.append(alert.title))
    return titles


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_shows_its_curves_and_progress_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    app = VlmftConsole(make_sample(tmp_path).path)
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "2,000/2,400")
        await until_shown(pilot, "▲ 50.00 @777")  # the spike is named, not drawn to scale
        text = screen_text(app)
        assert "□ stopped" in text
        assert "Loss" in text


async def test_a_wide_screen_has_everything_at_once(tmp_path: Path) -> None:
    app = VlmftConsole(make_sample(tmp_path).path)
    async with app.run_test(size=(200, 60)) as pilot:
        for wanted in (r"\x1b[31mred", "[bold]not bold[/bold]", "■ STOP", "★ best", "epoch 5.00/6"):
            await until_shown(pilot, wanted)
        for wanted in ("Learning rate", "Gradient norm", "Throughput"):
            assert wanted in screen_text(app)


async def test_a_live_run_is_followed_and_stopped_with_a_checkpoint(standin: Supervised, signs: list[str]) -> None:
    app = VlmftConsole(standin.folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "▶ running")
        reached = standin.folder.events_file().read_text().count('"step"')
        await until(pilot, lambda: (app.screen.query_one("RunView").state.step or 0) > reached)
        await pilot.press("x")
        await until_shown(pilot, "Stop run?")
        await pilot.press("s")
        await until_shown(pilot, "□ stopped")
        assert "asked to" in screen_text(app)
        await until(pilot, lambda: signs == ["run stopped"])
    assert standin.wait_for_end()["status"] == "stopped"


async def test_the_footer_offers_what_can_be_done_to_the_run(standin: Supervised, tmp_path: Path) -> None:
    app = VlmftConsole(standin.folder.path)
    async with app.run_test(size=(120, 24)) as pilot:
        await until_shown(pilot, "x stop")
        assert "r resume" not in screen_text(app)
        StopRequest("the test").write(standin.folder)
        await until_shown(pilot, "r resume")
        assert "x stop" not in screen_text(app)
        await pilot.press("x")
        await until(pilot, lambda: "run is not running" in told(app))
    log = tmp_path / "alone.jsonl"
    log.write_bytes(standin.folder.events_file().read_bytes())
    app = VlmftConsole(log)
    async with app.run_test(size=(120, 24)) as pilot:
        await until_shown(pilot, "p replay")
        assert "x stop" not in screen_text(app)
        assert "r resume" not in screen_text(app)


async def test_a_run_whose_folder_is_deleted_is_not_called_crashed(tmp_path: Path) -> None:
    sample = make_sample(tmp_path)
    app = VlmftConsole(sample.path)
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await until_shown(pilot, "□ stopped")
        await until_shown(pilot, "r resume")
        shutil.rmtree(sample.path)
        await until_shown(pilot, "unreadable")
        await until_shown(pilot, "its folder is gone: deleted, or moved")
        await until(pilot, lambda: "r resume" not in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: f"No such file or directory: {sample.path}" in told(app))
        assert "Errno" not in told(app)
        await pilot.press("v")
        await until_shown(pilot, "The run's folder is gone")
        await pilot.press("q", "C")
        await until_shown(pilot, "The run's folder is gone: deleted, or moved")


@pytest.mark.usefixtures("long_rest")
async def test_a_stop_is_counted_down(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG, "--deaf")
    run.wait_for_ranks()
    app = VlmftConsole(run.folder.path)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "▶ running")
        StopRequest("the test").write(run.folder)
        await until_shown(pilot, "■ stopping")
        await until_shown(pilot, "saving a checkpoint; ended without one in 9:")
        StopRequest("the test is over", now=True).write(run.folder)
        await until_shown(pilot, "□ stopped")
    run.wait_for_end()


async def test_leaving_the_screen_leaves_the_run_and_says_how_to_come_back(standin: Supervised) -> None:
    app = VlmftConsole(standin.folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "▶ running")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, live.LiveScreen))
        assert "`vlmft attach run` shows it again" in told(app)
    assert standin.status().state == "running"


async def test_a_new_stop_finding_rings_once_and_an_old_one_not_at_all(tmp_path: Path, signs: list[str]) -> None:
    log = tmp_path / "events.jsonl"
    records = [json.dumps(record) for record in sample_records(1900)]
    early = next(index for index, line in enumerate(records) if '"step": 1401,' in line)
    log.write_text("\n".join(records[:early]) + "\n")
    app = VlmftConsole(log)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "step 1,400/2,400")
        before = {finding.rule for finding in app.screen.query_one("RunView").state.findings}
        with log.open("a") as file:
            file.write("\n".join(records[early:]) + "\n")
        await until_shown(pilot, "step 1,900/2,400")
        await until(pilot, lambda: signs)
        assert len(signs) == len(set(signs))
        assert not {title.rpartition(": ")[2] for title in signs} & before


async def test_a_log_of_another_program_is_followed_while_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    line = "{{'loss': {loss}, 'grad_norm': 0.5, 'learning_rate': 4e-05, 'epoch': {epoch}}}\n"
    log.write_text("".join(line.format(loss=2 - step / 100, epoch=step / 100) for step in range(50)))
    app = VlmftConsole(log)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "Loss train 1.51")
        with log.open("a") as file:
            file.write(line.format(loss=1.25, epoch=0.5))
        await until_shown(pilot, "Loss train 1.25")
        assert "● growing" in screen_text(app)
        for key, said in {"x": "nothing to stop", "C": "has no checkpoints", "v": "no answers are kept"}.items():
            await pilot.press(key)
            await until(pilot, lambda said=said: said in told(app))


async def test_what_cannot_be_read_of_a_log_is_said_on_its_screen_live_and_played_again(tmp_path: Path) -> None:
    run = ended_run(tmp_path, "one")
    with run.events_file().open("a") as file:
        file.write("damaged\n")
    async with VlmftConsole(run.path).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "▲ 1 entry of the log cannot be read")
        with run.events_file().open("a") as file:
            file.write(f"{{}}\n{json.dumps(record('note', message='on it goes'))}\n")
        await until_shown(pilot, "▲ 2 entries of the log cannot be read")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, ReplayScreen))
        await until_shown(pilot, "▲ 2 entries of the log cannot be read")


@pytest.mark.parametrize(
    "news",
    [
        record("run_end", 41, status="finished", reason=""),
        record("health", 41, rule="loss_too_high", severity="stop", step=40, message="a test"),
    ],
    ids=["end", "stop finding"],
)
async def test_a_run_that_goes_on_is_not_drawn_before_the_screen_has_rested_but_for_what_cannot_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long_rest: None, news: Record
) -> None:
    for pause in ("POLL_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(live_reader, pause, 0.01)
    log = write_log(tmp_path / "events.jsonl", [run_start(), plan(), *map(step, range(1, 20))])
    app = VlmftConsole(log)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "step 19/100")
        screen = app.screen
        assert isinstance(screen, live.LiveScreen)
        for number in range(20, 41):
            with log.open("a") as file:
                file.write(json.dumps(step(number, number / 100)) + "\n")
            await until(pilot, lambda wanted=number - 19: len(screen._reader._batch.records) == wanted)
        assert "step 19/100" in screen_text(app)
        with log.open("a") as file:
            file.write(json.dumps(news) + "\n")
        await until_shown(pilot, "step 40/100")
        assert "Loss train 0.4000" in screen_text(app)


async def test_a_training_that_begins_anew_in_a_log_that_is_open_takes_the_place_of_the_one_before(
    tmp_path: Path,
) -> None:
    log = tmp_path / "train.log"
    line = "step {}: loss {:.4f}, lr 0.0001\n"
    log.write_text("".join(line.format(step, 2 - step / 100) for step in range(1, 51)))
    app = VlmftConsole(log)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "step 50")
        with log.open("a") as file:
            file.write("".join(line.format(step, 9 - step) for step in range(1, 4)))
        await until_shown(pilot, "Loss train 6.000")
        assert "Another training begins" in told(app)
        assert "step 3" in screen_text(app)
        state = app.screen.query_one("RunView").state
        assert (len(state.train_loss), len(state.train_loss.superseded)) == (3, 0)
        await until_shown(pilot, "the last of several trainings in this log")
    async with VlmftConsole(log).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "Loss train 6.000")
        assert "the last of several trainings in this log" in screen_text(pilot.app)


async def test_a_log_shows_its_first_chart_while_the_rest_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, rest = tmp_path / "train.log", threading.Event()
    log.write_text("".join(f"{{'loss': {2 - step / 100}, 'epoch': {step / 100}}}\n" for step in range(50)))

    def load_slowly(target: Path) -> Iterator[Progress | ReadLog]:
        read = read_log(target)
        yield Progress(read.name, None, 50, Packed(Handover(), read.state))
        rest.wait(60)
        yield read

    monkeypatch.setattr(live_reader, "load", load_slowly)
    app = VlmftConsole(log)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "○ reading")
        await until_shown(pilot, "Loss train 1.51")
        await pilot.press("x")
        assert "nothing to stop" in told(app)
        rest.set()
        await until(pilot, lambda: "reading" not in screen_text(app))
        assert "Loss train 1.51" in screen_text(app)


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
@pytest.mark.parametrize("choice", [None, LAST], ids=["live", "replay"])
async def test_a_file_that_is_no_log_is_refused_with_the_reason_and_left_by_the_key_that_is_named(
    tmp_path: Path, size: tuple[int, int], choice: Choice | None
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing [b]here[/b]\n" * 20)
    app = VlmftConsole(path, replay=choice)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "notes.txt" in screen_text(app).replace("\n", ""))  # where the path is wrapped, too
        await until(pilot, lambda: "reading" not in screen_text(app))
        await until(pilot, lambda: "? help" in screen_text(app).splitlines()[-1])
        assert app.screen.max_scroll_y == 0
        await pilot.press("1", "tab", "f", "4", "c", "plus", "q")
        await until(pilot, lambda: not isinstance(app.screen, LogScreen))


async def test_a_fault_of_ours_in_the_reading_is_said_and_its_traceback_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(target: Path) -> Iterator[Progress | ReadLog]:
        yield Progress(target.name, None, 50, None)
        raise TypeError("a log that nobody thought of")

    monkeypatch.setattr(live_reader, "load", broken)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app = VlmftConsole(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "unexpected TypeError")
    [report] = (tmp_path / "state" / "vlmft").glob("crash-*.txt")
    assert "a log that nobody thought of" in report.read_text()


async def test_a_log_without_a_preset_has_none_to_change(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write_log(log, sample_records())
    app = VlmftConsole(log)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "■ STOP")
        await pilot.press("a")
        assert "No preset of ours" in told(app)


async def test_a_finding_opens_the_preset_that_it_advises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = pytest.importorskip("vlmft_console.app.screens.editor")
    folder = make_sample(tmp_path)
    app = VlmftConsole(folder.path)
    asked: list[tuple[str, dict[str, Any]]] = []
    original = editor.EditorScreen.__init__

    def spy(self: Any, preset: str, changes: dict[str, Any]) -> None:
        asked.append((preset, changes))
        original(self, preset, changes)

    monkeypatch.setattr(editor.EditorScreen, "__init__", spy)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "■ STOP")
        await pilot.press("5", "a")
        await until(pilot, lambda: isinstance(app.screen, editor.EditorScreen))
    assert asked[0][0] == str(folder.preset_file)
    assert asked[0][1]["training.weight_decay"] == 0.02


async def test_a_resumed_run_shows_what_it_replaced_and_where_it_went_on(tmp_path: Path) -> None:
    folder = make_sample(tmp_path, steps=1000)
    again = [record for record in sample_records(1200) if record.get("step", 0) > 600 or record["event"] == "plan"]
    start = {"v": 1, "seq": 0, "t": BEGAN, "mono": 1.0, "event": "run_start", "run_id": "0", "segment": 2}
    records = [{**start, "resumed_from": 600}, *again]
    write_log(folder.events_file(2), records)
    app = VlmftConsole(folder.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "1,200/2,400")
        await until_shown(pilot, "↻")
        assert "before resume" in screen_text(app)


@pytest.mark.parametrize("size", SIZES[1:])
def test_the_screen_looks_as_it_did(
    tmp_path: Path, size: tuple[int, int], snap_compare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "now", lambda: BEGAN + 4000)

    async def opened(pilot: Any) -> None:
        await until_shown(pilot, "2,000/2,400")
        await until(pilot, lambda: size[0] < 160 or "not bold" in screen_text(pilot.app))

    assert snap_compare(VlmftConsole(make_sample(tmp_path).path), terminal_size=size, run_before=opened)


async def test_escape_closes_the_search_box_before_it_leaves(tmp_path: Path) -> None:
    app = VlmftConsole(make_sample(tmp_path).path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "2,000/2,400")
        await pilot.press("7", "slash")
        await until_shown(pilot, "search the log")
        await pilot.press("7", "x", "escape")
        await until(pilot, lambda: "search the log" not in screen_text(app))
        assert isinstance(app.screen, live.LiveScreen)
        await pilot.press("f", "escape")
        await until_shown(pilot, "Learning rate")
        assert isinstance(app.screen, live.LiveScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, live.LiveScreen))


async def test_escape_takes_the_crosshair_away_before_it_leaves(tmp_path: Path) -> None:
    app = VlmftConsole(make_sample(tmp_path).path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "2,000/2,400")
        await pilot.press("c")
        await until_shown(pilot, "actual ")
        await pilot.press("escape")
        await until(pilot, lambda: "planned 1" not in screen_text(app) and "step 2,000  " not in screen_text(app))
        assert isinstance(app.screen, live.LiveScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, live.LiveScreen))


async def test_advice_asked_for_while_the_log_is_read_comes_once_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rest = make_sample(tmp_path), threading.Event()

    def load_slowly(target: Path) -> Iterator[Progress | ReadLog]:
        rest.wait(60)
        yield read_log(target)

    monkeypatch.setattr(live_reader, "load", load_slowly)
    app = VlmftConsole(folder.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        assert told(app) == ""
        rest.set()
        await until_shown(pilot, "training.weight_decay")
