"""Playing a log again: the screen as it was at every moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.app.looking import screen_text, told, until, until_shown
from tests.command_line import vlmft
from tests.kept_answers import keep, question
from tests.sample_run import make_sample, sample_records
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.screens import replay
from vlmft_console.app.screens.editor import EditorScreen
from vlmft_console.app.widgets.run.run_view import RunView
from vlmft_console.app.widgets.run.transport import Place, track
from vlmft_console.history.choice import LAST, Choice

SIZE = (100, 34)


@pytest.fixture
def app(tmp_path: Path) -> VlmftConsole:
    return VlmftConsole(make_sample(tmp_path).path, replay=LAST)


async def at_the_start(pilot: Any) -> None:
    await until_shown(pilot, "‖ paused")
    await pilot.press("0")
    await until_shown(pilot, " 0 s of ")


async def test_it_stands_at_the_end_paused_and_goes_to_the_start(app: VlmftConsole) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot, "‖ paused  ×100  1:06:40 of 1:06:40")
        assert "no data" not in screen_text(app)
        assert "step 2,000/2,400" in screen_text(app)
        await pilot.press("0")
        await until_shown(pilot, "0 s of 1:06:40")
        await pilot.press("dollar_sign")
        await until_shown(pilot, "1:06:40 of 1:06:40")


async def test_the_keys_that_play_are_named_first_where_there_is_little_room(app: VlmftConsole) -> None:
    async with app.run_test(size=(60, 15)) as pilot:
        await until_shown(pilot, "‖ paused")
        assert screen_text(app).splitlines()[-1].strip().startswith("space play  > faster")


async def test_time_passes_at_the_speed_asked_for_and_stops_at_the_end(
    app: VlmftConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(replay, "seconds", lambda: clock[0])
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot, "‖ paused")
        await pilot.press("space")
        await until_shown(pilot, "▶ playing ×100")
        clock[0] += 2.0
        await until_shown(pilot, "3:20 of 1:06:40")  # 200 s
        await until_shown(pilot, "step 100/2,400")
        await pilot.press("greater_than_sign")
        await until_shown(pilot, "×200")
        await pilot.press("less_than_sign", "less_than_sign")
        await until_shown(pilot, "×50")
        clock[0] += 1000.0
        await until_shown(pilot, "‖ paused")
        await until_shown(pilot, "1:06:40 of 1:06:40")


async def test_it_goes_to_findings_and_evals_and_shows_what_was_known_then(app: VlmftConsole) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await at_the_start(pilot)
        await pilot.press("e")
        await until_shown(pilot, "step 100/2,400")
        await pilot.press("e", "e", "E")
        await until_shown(pilot, "step 200/2,400")
        view = app.screen.query_one(RunView)
        assert view.state is not None
        before = len(view.state.findings)
        await pilot.press("n")
        assert len(view.state.findings) > before
        first = view.state.findings[-1]
        assert first.step == view.state.step
        await until_shown(pilot, first.rule)
        await pilot.press("n", "N")
        assert view.state.step == first.step
        await pilot.press("dollar_sign", "n")
        assert "no finding after" in told(app)


@pytest.mark.parametrize(
    ("place", "shown"),
    [("1250", "step 1,250/"), ("50%", "step 1,000/"), ("0:20:00", "step 600/"), ("9,999", "step 2,000/")],
)
async def test_it_goes_to_a_step_a_share_or_a_time(app: VlmftConsole, place: str, shown: str) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot, "‖ paused")
        await pilot.press("t", *place, "enter")
        await until_shown(pilot, shown)


async def test_a_place_that_is_none_is_refused_and_can_be_mended(app: VlmftConsole) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot, "‖ paused")
        await pilot.press("t", *"soon", "enter")
        assert "'soon' is no moment" in told(app)
        await pilot.press("escape")
        assert isinstance(app.screen, replay.ReplayScreen)


async def test_one_event_at_a_time(app: VlmftConsole) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await at_the_start(pilot)
        await pilot.press(*["full_stop"] * 5)
        await until_shown(pilot, "step 2/2,400")
        await pilot.press("comma")
        await until_shown(pilot, "step 1/2,400")


async def test_the_picture_is_the_one_that_a_live_run_had_then(tmp_path: Path) -> None:
    records = [json.dumps(record) for record in sample_records()]
    cut = next(index for index, line in enumerate(records) if '"step": 1801,' in line)
    then, whole = tmp_path / "then" / "events.jsonl", tmp_path / "whole" / "events.jsonl"
    for path, lines in ((then, records[:cut]), (whole, records)):
        path.parent.mkdir()
        path.write_text("\n".join(lines) + "\n")
    pictures = []
    for path, keys in ((then, ("dollar_sign",)), (whole, ("t", *"1801", "enter", "comma"))):
        app = VlmftConsole(path, replay=LAST)
        async with app.run_test(size=SIZE) as pilot:
            await until_shown(pilot, "‖ paused")
            await pilot.press(*keys)
            await until_shown(pilot, "step 1,800/2,400")
            await until_shown(pilot, "token accuracy")
            pictures.append(screen_text(app).splitlines()[1:-2])  # without the name, the track and the keys
    assert pictures[0] == pictures[1]


async def test_the_answers_are_those_up_to_the_moment(tmp_path: Path) -> None:
    run = make_sample(tmp_path).path
    keep(run, [question(1)], {100: ["1"], 200: ["2"], 300: ["3"]})
    async with VlmftConsole(run, replay=LAST).run_test(size=SIZE) as pilot:
        await at_the_start(pilot)
        await pilot.press("v")
        await until_shown(pilot, "No eval up to this moment of the replay asked questions. 3 evals after this moment")
        await pilot.press("q", "e", "e", "v")
        await until_shown(pilot, "step 200 (2 of 2, newest)")
        await until_shown(pilot, "1 eval after this moment of the replay not shown")
        await pilot.press("right")
        await until_shown(pilot, "now       2  (wrong)")


async def test_a_disk_that_fails_is_said(app: VlmftConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(replay, "open_log", fail)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "Input/output error")


async def test_leaving_goes_back_to_the_list(app: VlmftConsole) -> None:
    async with app.run_test(size=(40, 12)) as pilot:
        await until_shown(pilot, "‖ paused")
        await pilot.press("q")
        await until(pilot, lambda: not isinstance(app.screen, replay.ReplayScreen))


def test_the_track_shows_what_passed_and_the_findings() -> None:
    row = track(Place(50.0, 100.0, 1, [(25.0, "caution"), (75.0, "stop"), (75.0, "caution")]), 9)
    assert "".join(text for text, _ in row) == "━━◆━●─✖──"
    assert track(Place(0.0, 0.0, 0), 0) == ()


def test_without_a_terminal_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    assert vlmft("replay", str(tmp_path), code=2).stderr.startswith("vlmft: ")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_screen_looks_as_it_did(app: VlmftConsole, size: tuple[int, int], snap_compare: Any) -> None:
    async def at_a_finding(pilot: Any) -> None:
        await until_shown(pilot, "‖ paused")
        await pilot.press("t", *"1700", "enter")
        await until_shown(pilot, "step 1,700")
        await until_shown(pilot, "★")

    assert snap_compare(app, terminal_size=size, run_before=at_a_finding)


async def test_the_advice_of_a_finding_opens_in_the_editor_as_in_the_live_view(app: VlmftConsole) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await at_the_start(pilot)
        await pilot.press("a")
        assert told(app) == "There is no finding to act on."
        await pilot.press("n", "a")
        await until(pilot, lambda: isinstance(app.screen, EditorScreen))


async def test_of_several_trainings_the_last_is_played_or_the_one_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log = Path("log.jsonl")
    steps = [*range(10, 70, 10), *range(10, 50, 10)]
    log.write_text("".join(json.dumps({"step": step, "loss": 1.0}) + "\n" for step in steps))
    for choice, shown in ((LAST, "step 40"), (Choice(run=1), "step 60"), (Choice(run=3), "has no training 3")):
        app = VlmftConsole(log, replay=choice)
        async with app.run_test(size=SIZE) as pilot:
            if choice.run != 3:
                await until_shown(pilot, "paused")
                await pilot.press("dollar_sign")
            await until_shown(pilot, shown)
