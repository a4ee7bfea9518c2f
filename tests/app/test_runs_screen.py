"""The start screen: what it lists, and what its keys do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.app.looking import screen_text, told, until, until_shown
from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.confirm import ConfirmScreen
from vlmft_console.app.screens.compare import CompareScreen
from vlmft_console.app.screens.live import LiveScreen
from vlmft_console.app.screens.presets import PresetsScreen
from vlmft_console.app.screens.replay import ReplayScreen
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.widgets.run.run_list import RunList
from vlmft_console.runs.facts import ORDERS
from vlmft_console.runs.labels import Labels
from vlmft_core.durable import write_whole
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest

SIZES = [(80, 24), (120, 40), (200, 60)]


def some_runs(machine: Path) -> None:
    root = machine / "outputs"
    ended_run(root, "best-20260101-101010", hours=30, preset="best")
    ended_run(root, "good-lr3e5", status="stopped", steps=12, total=40, hours=3)
    ended_run(root, "overfit-try", steps=40, total=40, preset="quick", hours=80, rising=True)
    ended_run(root, "broken", status="crashed", reason="rank 1 was killed by SIGKILL", steps=5, preset="ultimate")
    ended_run(root, "[@click=app.quit]x\x1b[31m", status="early_stopped", preset="[/foo]", hours=0.02)


def keys(pilot: Pilot[None]) -> list[str]:
    return pilot.app.screen.query_one(RunList).keys


def name_of(key: str) -> str:
    return Path(key).name


def cursor(pilot: Pilot[None]) -> str:
    return Path(pilot.app.screen.query_one(RunList).cursor).name


async def test_the_first_start_says_what_to_do_next(machine: Path) -> None:
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "Press n to choose a preset")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))


async def test_a_run_made_meanwhile_appears(machine: Path) -> None:
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "0 runs,")
        ended_run(machine / "outputs", "best-1")
        await until_shown(pilot, "best-1")
        await until(pilot, lambda: "Press n to choose a preset" not in screen_text(pilot.app))


async def test_samples_are_listed_last_and_are_not_deleted(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = ended_run(machine / "logs", "healthy").path
    monkeypatch.setattr("vlmft_console.runs.overview.recorded_runs", lambda: [sample])
    async with VlmftConsole().run_test(size=(120, 24), notifications=True) as pilot:
        await until_shown(pilot, "○ sample")
        await until_shown(pilot, "Press n to choose a preset")
        await pilot.press("d")
        await until_shown(pilot, "it stays")
        assert sample.exists()


async def test_names_are_shown_as_they_are_and_do_nothing(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(160, 24)) as pilot:
        await until_shown(pilot, "[@click=app.quit]x\\x1b[31m")
        await until_shown(pilot, "[/foo]")
        await pilot.click(RunList, offset=(10, 2))
        assert cursor(pilot) == "broken"
        await pilot.click(RunList, offset=(10, 1))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert "Delete [@click=app.quit]x\\x1b[31m?" in screen_text(pilot.app)
        await pilot.press("escape")
        assert pilot.app.is_running


@pytest.mark.parametrize(("key", "name"), [("j", "broken"), ("down", "broken"), ("G", "overfit-try")])
async def test_vim_keys_and_arrows_move_the_cursor(machine: Path, key: str, name: str) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press(key)
        assert cursor(pilot) == name
        await pilot.press({"j": "k", "down": "up", "G": "g"}[key])
        assert cursor(pilot).startswith("[@click")


async def test_the_run_under_the_cursor_tells_why_it_ended_and_its_worst_finding(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("j")
        await until_shown(pilot, "✗ crashed: rank 1 was killed by SIGKILL")
        await pilot.press("G")
        await until_shown(pilot, "✗ stop")
        await until_shown(pilot, "stop: eval loss")


async def test_the_filter_keeps_matching_runs_and_escape_brings_all_back(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("slash", *"best fin", "enter")
        await until(pilot, lambda: "overfit-try" not in screen_text(pilot.app))
        assert cursor(pilot) == "best-20260101-101010"
        await pilot.press("escape")
        await until_shown(pilot, "overfit-try")


async def test_while_a_filter_is_typed_the_cursor_is_where_it_was_or_on_the_first_run_and_not_where_half_a_word_led(
    machine: Path,
) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("b", "slash", *"overfit")
        await until(pilot, lambda: cursor(pilot) == "overfit-try")
        pilot.app.screen.query_one("#filter", Input).value = "name:r"
        await until(pilot, lambda: cursor(pilot) == "broken")
        pilot.app.screen.query_one("#filter", Input).value = ""
        await until(pilot, lambda: cursor(pilot).startswith("[@click"))
        await pilot.press(*"lr3e5", "enter", "escape")
        await until_shown(pilot, "overfit-try")
        assert cursor(pilot) == "good-lr3e5"


async def test_the_filter_finds_what_the_rows_say_of_health_and_state(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(120, 24), notifications=True) as pilot:
        await until_shown(pilot, "✗ stop")
        await pilot.press("slash", *"stop")
        await until_shown(pilot, "3 match")
        assert "overfit-try" in screen_text(pilot.app)
        assert "broken" not in screen_text(pilot.app)
        await pilot.press("escape", "slash", *"early stop")
        await until_shown(pilot, "1 match")
        assert "early stop" in screen_text(pilot.app)


async def test_a_finding_is_found_in_a_run_that_is_not_on_the_screen(machine: Path) -> None:
    for number in range(20):
        ended_run(machine / "outputs", f"run-{number}", hours=number)
    ended_run(machine / "outputs", "far-below", steps=40, total=40, hours=100, rising=True)
    async with VlmftConsole().run_test(size=(80, 12), notifications=True) as pilot:
        await until_shown(pilot, "run-0")
        await pilot.press("slash", *"stop")
        await until_shown(pilot, "far-below")


async def test_a_filter_that_nothing_matches_says_so(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("slash", *"zzz")
        await until_shown(pilot, "No run matches")
        await pilot.press("escape")
        await until_shown(pilot, "overfit-try")
        assert "No run matches" not in screen_text(pilot.app)


async def test_the_filter_goes_by_figures_and_says_what_it_does_not_understand(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("slash", *"eval<")
        await until_shown(pilot, "eval<: '' is no number (such as eval<0.1)")
        assert "overfit-try" in screen_text(pilot.app)
        await pilot.press(*"1.06 preset:best")
        await until_shown(pilot, "1 match")
        assert [name_of(key) for key in keys(pilot)] == ["best-20260101-101010"]


@pytest.mark.parametrize("size", SIZES[:2])
async def test_tags_and_notes_are_shown_and_found_and_do_nothing(machine: Path, size: tuple[int, int]) -> None:
    some_runs(machine)
    folder = machine / "outputs" / "good-lr3e5"
    async with VlmftConsole().run_test(size=size) as pilot:
        await until_shown(pilot, "overfit-try")
        tagged = Labels(("sweep", "\x1b[31m[@click=app.quit]tag"), "[bold]note[/] \u202eevil\n" + "x" * 300)
        tagged.keep(RunLayout(folder))  # while the list is open
        await pilot.press("slash", *"tag:sweep", "enter")
        await until_shown(pilot, "1 match")
        await until_shown(pilot, "#sweep #\\x1b[31m[@click=app.quit]tag")
        assert cursor(pilot) == "good-lr3e5"
        assert "\x1b" not in screen_text(pilot.app)
        assert "\u202e" not in screen_text(pilot.app)
        [line] = [line for line in screen_text(pilot.app).splitlines() if "stopped:" in line or "□ stopped  #" in line]
        assert len(line) <= size[0]
        write_whole(folder / "labels.json", "{")
        await pilot.press("escape")
        await until_shown(pilot, "labels.json cannot be read")


async def test_runs_are_sorted_by_one_key_and_live_ones_first_again_after_the_last(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "✗ stop")
        usual = keys(pilot)
        shown = []
        for _ in ORDERS:
            await pilot.press("s")
            shown.append(screen_text(pilot.app).splitlines()[0].rpartition("by ")[2].strip())
        assert shown == list(ORDERS)
        await pilot.press("s")
        assert keys(pilot) == usual
        await pilot.press("s", "s")
        await until(pilot, lambda: name_of(keys(pilot)[-1]) == "overfit-try")  # the highest eval loss


@pytest.mark.parametrize("size", SIZES[:2])
async def test_runs_of_one_preset_stand_together_under_its_name(machine: Path, size: tuple[int, int]) -> None:
    some_runs(machine)
    ended_run(machine / "outputs", "older", hours=90, preset="best")
    long = "best-on-charts-and-signs-of-2026"
    ended_run(machine / "outputs", "long", hours=91, preset=long)
    async with VlmftConsole().run_test(size=size, notifications=True) as pilot:
        await until_shown(pilot, "older")
        await pilot.press("b")
        await until_shown(pilot, "best (2)")
        assert f"  {long} (1)" in screen_text(pilot.app)
        lines = [line.split()[0] for line in screen_text(pilot.app).splitlines() if line.strip()]
        at = lines.index("best")
        assert (lines[at + 1][:4], lines[at + 2]) == ("best", "older")
        await pilot.press("g")
        for key in ("enter", "space", "x", "r", "d", "p"):  # on the name of a preset none of them has anything to do
            await pilot.press(key)
        assert isinstance(pilot.app.screen, RunsScreen)
        assert "marked" not in screen_text(pilot.app)
        assert "This line is a preset's" in told(pilot.app)
        await pilot.press("b")
        await until(pilot, lambda: "best (2)" not in screen_text(pilot.app))


async def test_whoever_comes_back_from_a_run_finds_the_cursor_on_it_though_it_has_ended(machine: Path) -> None:
    run = Supervised(machine / "outputs", 1, *LONG, name="old-live")
    other = Supervised(machine / "outputs", 1, *LONG, name="other-live")
    for each in (run, other):
        each.wait_for_ranks()
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "other-live")
        pilot.app.screen.query_one(RunList).move_to([*map(name_of, keys(pilot))].index("old-live"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        StopRequest("a test").write(run.folder)
        await until(pilot, run.folder.exit_file.exists, 60)
        ended_run(machine / "outputs", "newest", hours=0)
        await pilot.press("q")
        await until_shown(pilot, "newest")
        await until(pilot, lambda: name_of(keys(pilot)[0]) == "other-live")
        assert cursor(pilot) == "old-live"
    StopRequest("a test").write(other.folder)
    other.wait_for_end()


async def test_a_run_that_is_not_seen_yet_gets_the_cursor_once_it_is(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        screen.select(Path("outputs/fresh"))
        ended_run(machine / "outputs", "fresh", hours=50)
        await until(pilot, lambda: cursor(pilot) == "fresh")
        screen.select(Path("outputs/later"))
        await pilot.press("g")  # the person has other plans
        ended_run(machine / "outputs", "later", hours=0)
        await until_shown(pilot, "later")
        assert cursor(pilot).startswith("[@click")


async def test_long_names_are_whole_where_there_is_room(machine: Path) -> None:
    ended_run(machine / "outputs", "a-run-with-a-name-of-forty-two-characters-", preset="preset-20-characters")
    async with VlmftConsole().run_test(size=(200, 24)) as pilot:
        await until_shown(pilot, "a-run-with-a-name-of-forty-two-characters-")
        assert "preset-20-characters" in screen_text(pilot.app)


async def test_short_names_leave_their_room_to_the_presets_and_the_findings(machine: Path) -> None:
    ended_run(machine / "outputs", "short", preset="preset-of-14-c", steps=40, total=40, rising=True)
    async with VlmftConsole().run_test(size=(120, 24)) as pilot:
        await until_shown(pilot, "✗ stop")
        assert "preset-of-14-c" in screen_text(pilot.app)


async def test_two_marked_runs_can_be_compared_and_one_cannot(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("space", "c")
        await until_shown(pilot, "Mark two to eight runs")
        assert "1 marked" in screen_text(pilot.app)
        assert screen_text(pilot.app).count("●") == 1
        assert screen_text(pilot.app).count("✓") == 3  # states


async def test_marked_runs_are_compared_and_p_plays_a_run_again(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("space", "space", "c")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, ReplayScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))


async def test_the_cursor_stays_on_its_run_when_others_come(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "overfit-try")
        await pilot.press("j")
        ended_run(machine / "outputs", "newest", hours=0)
        await until_shown(pilot, "newest")
        assert cursor(pilot) == "broken"


async def test_deleting_asks_and_means_cancel_until_told_otherwise(machine: Path) -> None:
    run = ended_run(machine / "outputs", "old")
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "old")
        await pilot.press("d", "enter")
        await pilot.pause()
        assert run.path.exists()
        await pilot.press("d", "y")
        await until_shown(pilot, "0 runs,")
        assert not run.path.exists()


async def test_a_live_run_is_stopped_with_a_checkpoint_and_not_deleted_before(machine: Path) -> None:
    run = Supervised(machine / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "▶ running")
        await pilot.press("d", "y")
        await until_shown(pilot, "stop it first")
        await pilot.press("x")
        await until_shown(pilot, "Stop live?")
        await pilot.press("enter")
        await until_shown(pilot, "□ stopped", 60)
        request = StopRequest.read(run.folder)
        assert request is not None
        assert not request.now
        await pilot.press("x")
        await until_shown(pilot, "live is not running: it is stopped")
        await pilot.press("r")
        await until_shown(pilot, "has no complete checkpoint")


async def test_a_run_is_stopped_now(machine: Path) -> None:
    run = Supervised(machine / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await until_shown(pilot, "▶ running")
        await pilot.press("x", "n")
        await until(pilot, run.folder.exit_file.exists)
        assert run.wait_for_end()["status"] != "finished"


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (40, 12), (200, 60)])
async def test_it_works_at_any_size(machine: Path, size: tuple[int, int]) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=size) as pilot:
        await until(pilot, lambda: pilot.app.screen.query_one(RunList).keys)
        for key in ("j", "G", "space", "slash", "escape", "d", "escape", "question_mark", "escape", "n", "t", "escape"):
            await pilot.press(key)
        await pilot.resize_terminal(40, 12)
        await until_shown(pilot, "? help")


async def test_nothing_of_a_row_lies_under_the_scroll_bar(machine: Path) -> None:
    for number in range(40):
        ended_run(machine / "outputs", f"run-{number}", hours=30 + number)
    for size in SIZES[:2]:
        async with VlmftConsole().run_test(size=size) as pilot:
            await until_shown(pilot, "run-9")
            lines = screen_text(pilot.app).splitlines()
            assert lines[1].rstrip().endswith("age")
            assert " 39 h" in next(line for line in lines if "run-9" in line)


async def test_names_that_differ_at_their_ends_are_told_apart(machine: Path) -> None:
    for number in range(3):
        ended_run(machine / "outputs", f"qwen25vl-7b-lora-docvqa-r16-cosine-warmup-seed00{number}", hours=number)
    for size in SIZES[:2]:
        async with VlmftConsole().run_test(size=size) as pilot:
            for number in range(3):
                await until_shown(pilot, f"seed00{number} ")


async def test_a_name_that_is_cut_stands_whole_below_the_list(machine: Path) -> None:
    names = [f"lora-r16-seed{number}-cosine-warmup-of-charts" for number in range(2)]
    for number, name in enumerate(names):
        ended_run(machine / "outputs", name, hours=number)
    async with VlmftConsole().run_test(size=(80, 24)) as pilot:
        for name in names:
            await until_shown(pilot, f" {name}  ✓ finished")
            await pilot.press("j")
        pilot.app.screen.query_one(RunList).move_to(0)
        await pilot.resize_terminal(200, 24)
        await until(pilot, lambda: screen_text(pilot.app).count(names[0]) == 1)


async def test_a_run_that_was_resumed_and_stopped_before_its_next_step_keeps_its_loss(machine: Path) -> None:
    folder = ended_run(machine / "outputs", "again", status="stopped")
    log = EventWriter(folder.events_file(2))
    log.write(events.RUN_START, run_id="0" * 32, segment=2, resumed_from=20)
    log.close()
    async with VlmftConsole().run_test(size=(120, 24)) as pilot:
        await until_shown(pilot, "again")
        await until_shown(pilot, " 0.1000 ")


async def test_narrow_it_still_names_run_state_and_progress(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(40, 12)) as pilot:
        await until_shown(pilot, "30 %")
        [line] = [line for line in screen_text(pilot.app).splitlines() if "good-lr3e5" in line]
        assert "□ stopped" in line
        assert "30 %" in line


@pytest.mark.parametrize("size", SIZES)
def test_how_it_looks(machine: Path, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    some_runs(machine)

    async def settle(pilot: Pilot[None]) -> None:
        await until_shown(pilot, "✗ stop")
        await pilot.press("j", "space")

    assert snap_compare(VlmftConsole(), terminal_size=size, run_before=settle)


def test_how_it_looks_in_the_light(machine: Path, snap_compare: Callable[..., bool]) -> None:
    some_runs(machine)

    async def settle(pilot: Pilot[None]) -> None:
        await until_shown(pilot, "✗ stop")
        await pilot.press("space", "slash", "o")
        await until_shown(pilot, "5 match")

    assert snap_compare(VlmftConsole(theme="light"), terminal_size=(80, 24), run_before=settle)


async def test_losses_of_the_run_under_the_cursor_are_drawn_where_there_is_room(machine: Path) -> None:
    some_runs(machine)
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "Loss of ")
        await pilot.press("G")
        await until_shown(pilot, "Loss of overfit-try")
        await until_shown(pilot, "● eval")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "Loss of " not in screen_text(pilot.app))
