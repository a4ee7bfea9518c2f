"""The editor: every value can be changed from the keyboard, nothing typed is lost, nothing saved unasked."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea

from tests.app.looking import screen_text, told, until, until_shown
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.screens.editor import EditorScreen
from vlmft_console.app.widgets.preset import planner
from vlmft_console.app.widgets.preset.field_form import FieldForm
from vlmft_console.app.widgets.preset.plan_panel import PlanPanel
from vlmft_console.presets.keep import drafts_folder
from vlmft_core.preset import Preset, load_preset

PARENT = """\
about: {summary: Everything on one page, improvement: +5%}
model: {base: demo}
lora: {target_modules: [q_proj]}
data:
  sources: [{task: chartqa, path: demo, train_split: train, eval_split: val}]
  max_train: 640
  max_eval: null
training: {epochs: 6, learning_rate: 4e-5, effective_batch: 32}
evaluation: {eval_steps: 20}
hardware: {device: cpu, gpus: 2}
reasons:
  training.epochs: Two more bring nothing
"""
CHILD = "extends: parent\nabout: {summary: A short one}\ntraining: {epochs: 2}\n"


@pytest.fixture(autouse=True)
def here(here: Path) -> Path:
    """A folder with two presets."""
    (here / "presets").mkdir()
    (here / "presets" / "parent.yaml").write_text(PARENT)
    (here / "presets" / "child.yaml").write_text(CHILD)
    return here


@asynccontextmanager
async def editor(
    preset: str = "child", changes: Mapping[str, object] | None = None, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[None], EditorScreen]]:
    """The app with an editor open, and its first plan made."""
    app = VlmftConsole()
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = EditorScreen(preset, changes)
        await app.push_screen(screen)
        await pilot.pause()
        yield pilot, screen


async def go_to(pilot: Pilot[None], name: str) -> None:
    """Find a field by its name."""
    await pilot.press("slash", *name, "enter")


async def type_into(pilot: Pilot[None], name: str, text: str) -> None:
    await go_to(pilot, name)
    await pilot.press("enter")
    await pilot.pause()
    await pilot.press(*(character if character.isalnum() else _KEYS[character] for character in text))


_KEYS = {".": "full_stop", "-": "minus", " ": "space", "_": "underscore", "[": "left_square_bracket"}


def preset_file(name: str) -> Path:
    return Path("presets") / f"{name}.yaml"


async def test_a_value_is_changed_and_the_plan_follows() -> None:
    async with editor() as (pilot, screen):
        await until_shown(pilot, "40, 20 an epoch")
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter")
        await until_shown(pilot, "60, 20 an epoch")
        assert screen.draft.preset is not None
        assert screen.draft.preset.training.epochs == 3
        assert "child: 1 change, not saved" in screen_text(pilot.app)
        assert re.search(r"^\* epochs +3", screen_text(pilot.app), re.MULTILINE)
        assert "training.epochs  2 -> 3" in screen_text(pilot.app)


async def test_earlier_runs_are_read_again_only_where_a_sample_takes_another_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[object] = []

    def measured(preset: Preset, gpu: object) -> tuple[None, str]:
        read.append(preset)
        return None, ""

    monkeypatch.setattr(planner, "measured_speed", measured)
    async with editor() as (pilot, _):
        await until_shown(pilot, "40, 20 an epoch")
        await type_into(pilot, "epochs", "3")
        await until_shown(pilot, "60, 20 an epoch")
        assert len(read) == 1
        await pilot.press("enter")
        await type_into(pilot, "micro_batch", "2")
        await until(pilot, lambda: len(read) == 2)


async def test_what_a_plan_refuses_is_said_beside_its_field_and_no_other() -> None:
    async with editor() as (pilot, screen):
        await until_shown(pilot, "40, 20 an epoch")
        screen.on_planned(planner.Planned(Preset(), None, "lora.rslora: not with that"))
        said = screen.query_one(FieldForm).list.error_of
        assert (said("lora.rslora"), said("lora.r")) == ("not with that", "")


async def test_a_path_that_no_file_can_have_is_said_where_the_plan_stands() -> None:
    async with editor(changes={"model.base": "./" + "x" * 300}) as (pilot, screen):
        await until(pilot, lambda: "File name too long" in planned(screen))


async def test_the_meaning_range_and_reason_of_the_field_under_the_cursor_are_shown() -> None:
    async with editor("parent") as (pilot, _):
        await go_to(pilot, "epochs")
        shown = screen_text(pilot.app)
        assert "Passes over the training data" in shown
        assert "above 0, at most 1000" in shown
        assert "why: Two more bring nothing" in shown
        assert "parent.yaml:8" in shown


async def test_a_mistake_is_shown_beside_the_field_while_typing_and_kept() -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "learning_rate", "4e")
        await until_shown(pilot, "! must be a number, not '4e'")
        assert "1 wrong" in screen_text(pilot.app)
        assert "plan of the last values that fit" in screen_text(pilot.app)
        await pilot.press("minus", "5", "enter")
        await until(pilot, lambda: screen.draft.preset)
        assert screen.draft.text("training.learning_rate") == "4e-5"


async def test_values_that_do_not_fit_each_other_are_marked_at_each_of_them() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "effective_batch", "33")
        await pilot.press("enter")
        await until_shown(pilot, "3 wrong")
        for name in ("effective_batch", "micro_batch", "gpus"):
            assert re.search(rf"^! {name}", screen_text(pilot.app), re.MULTILINE) or name == "gpus"


async def test_a_base_model_that_is_not_there_is_said_at_its_field() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "model.base", "nope")
        await until_shown(pilot, "! nope is not a folder")


async def test_escape_gives_back_the_value_that_was_there() -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "epochs", "99")
        await until(pilot, lambda: screen.draft.text("training.epochs") == "99")
        await pilot.press("escape")
        await until(pilot, lambda: not screen.draft.dirty)
        assert isinstance(pilot.app.screen, EditorScreen)
        assert not screen.draft.undo()


async def test_few_values_are_turned_with_the_arrow_keys() -> None:
    async with editor() as (pilot, screen):
        await go_to(pilot, "scheduler")
        await pilot.press("right", "right", "left")
        await until(pilot, lambda: screen.draft.text("training.scheduler") == "linear")
        await go_to(pilot, "pin_memory")
        await pilot.press("space")
        await until(pilot, lambda: screen.draft.text("data.pin_memory") == "false")


async def test_undo_and_redo_go_field_by_field() -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "epochs", "12")
        await pilot.press("enter")
        await type_into(pilot, "lora.r", "8")
        await pilot.press("enter", "ctrl+z")
        await until(pilot, lambda: [d.path for d in screen.draft.differences()] == ["training.epochs"])
        await pilot.press("u")
        await until(pilot, lambda: not screen.draft.dirty)
        await pilot.press("ctrl+y", "U")
        await until(pilot, lambda: screen.draft.text("lora.r") == "8")


async def test_a_field_is_reset_and_a_reason_said() -> None:
    async with editor("parent") as (pilot, screen):
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter")
        await until_shown(pilot, "why: not said; press w to say it")
        await pilot.press("w")
        await pilot.pause()
        await pilot.press("S", "o", "enter")
        await until_shown(pilot, "why: So")
        await pilot.press("r")
        await until(pilot, lambda: not screen.draft.dirty)
        await until_shown(pilot, "why: Two more bring nothing")


async def test_sources_are_edited_as_yaml_on_many_lines() -> None:
    async with editor() as (pilot, screen):
        await go_to(pilot, "sources")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query(TextArea))
        area = pilot.app.screen.query_one(TextArea)
        assert area.text.startswith("- task: chartqa\n  path: demo\n")
        area.text = "- task: chartq\n  path: demo\n"
        await until_shown(pilot, "(did you mean")
        area.text = "- task: chartqa\n  path: demo\n  train_split: val\n"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen.draft.preset)
        assert screen.draft.text("data.sources") == "[{task: chartqa, path: demo, train_split: val}]"


async def test_a_draft_is_saved_as_a_small_child_and_then_is_that_preset(here: Path) -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "epochs", "3")
        await pilot.press("ctrl+s")  # without leaving the field first
        await until_shown(pilot, "Save in presets")
        await pilot.press(*"mine", "enter")
        await until_shown(pilot, "mine: nothing changed")
        assert not screen.draft.dirty
        assert preset_file("mine").read_text() == "extends: child\n\ntraining:\n  epochs: 3\n"
        await pilot.press("q")
        await until(pilot, lambda: pilot.app.screen is not screen)
    assert not list(drafts_folder().glob("*"))


async def test_an_existing_file_is_replaced_only_when_asked_to() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "epochs", "3")
        await pilot.press("ctrl+s")
        await until_shown(pilot, "Save in presets")
        pilot.app.screen.query_one("#name", Input).value = "child"
        await pilot.press("enter")
        await until_shown(pilot, "child.yaml: exists already")
        assert preset_file("child").read_text() == CHILD
        await pilot.press("ctrl+r")
        await until_shown(pilot, "child: nothing changed")
        assert load_preset(preset_file("child"), [Path("presets")]).preset.training.epochs == 3
        assert load_preset(preset_file("child"), [Path("presets")]).extends == "parent"


async def test_a_bad_name_is_said_and_nothing_written() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "epochs", "3")
        await pilot.press("ctrl+s")
        await until_shown(pilot, "Save in presets")
        pilot.app.screen.query_one("#name", Input).value = "../up"
        await pilot.press("enter")
        await until_shown(pilot, "'../up' cannot name a preset")
        assert len(list(Path("presets").iterdir())) == 2


async def test_leaving_with_unsaved_changes_asks_and_staying_stays() -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter", "q")
        await until_shown(pilot, "child has 1 change not saved")
        assert "esc  stay" in screen_text(pilot.app)
        assert "cancel" not in screen_text(pilot.app)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.draft.dirty
        await pilot.press("escape")
        await until_shown(pilot, "discard them")
        await pilot.press("d")
        await until(pilot, lambda: screen not in pilot.app.screen_stack)
    assert not list(drafts_folder().glob("*"))


async def test_saving_on_the_way_out_leaves() -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter", "escape", "s")
        await until_shown(pilot, "Save in presets")
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: screen not in pilot.app.screen_stack)
    assert preset_file("mine").exists()


async def test_without_changes_leaving_does_not_ask() -> None:
    async with editor() as (pilot, screen):
        await pilot.press("q")
        await until(pilot, lambda: screen not in pilot.app.screen_stack)


async def test_changes_survive_the_end_of_the_app_and_are_offered_again() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "epochs", "3x")
        await pilot.press("enter")
        pilot.app.exit()  # as after a hangup or TERM
    async with editor() as (pilot, screen):
        await until_shown(pilot, "child has unsaved changes from")
        assert "training.epochs: 3x" in screen_text(pilot.app)
        text = " ".join(screen_text(pilot.app).replace("│", " ").split())
        for answer in ("r restore: take these values", "d discard: forget them", "esc decide later: they are kept"):
            assert answer in text
        await pilot.press("r")
        await until(pilot, lambda: screen.draft.text("training.epochs") == "3x")
        (kept,) = drafts_folder().iterdir()
        assert "3x" in kept.read_text()
        await pilot.press("ctrl+z")
        await until(pilot, lambda: not screen.draft.dirty)


async def test_changes_left_by_another_session_can_be_discarded() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter")
        pilot.app.exit()
    (left,) = drafts_folder().iterdir()
    left.rename(left.with_name(left.name.replace(f"-{os.getpid()}", "-of-another")))
    async with editor() as (pilot, screen):
        await until_shown(pilot, "child has unsaved changes from")
        await pilot.press("d")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not list(drafts_folder().glob("*.json"))
        assert not screen.draft.dirty


async def test_changes_that_cannot_be_deleted_are_said_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter")
        pilot.app.exit()
    async with editor() as (pilot, _):
        await until_shown(pilot, "child has unsaved changes from")
        monkeypatch.setattr(Path, "unlink", read_only)
        await pilot.press("d")
        await until(pilot, lambda: "they are kept, and offered again: Read-only file system" in told(pilot.app))


def read_only(path: Path, missing_ok: bool = False) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


async def test_changes_kept_on_another_machine_are_taken_over_and_stay_there() -> None:
    async with editor() as (pilot, _):
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter")
        pilot.app.exit()
    (left,) = drafts_folder().iterdir()
    other = left.with_name(left.name.replace(f"-{os.getpid()}", "-1"))
    said = json.loads(left.read_text())
    other.write_text(json.dumps({**said, "by": {"host": "login2", "boot_id": "another", "pid": 1}}))
    left.unlink()
    async with editor() as (pilot, screen):
        await until_shown(pilot, "login2, where they may still be edited.")
        await pilot.press("r")
        await until(pilot, lambda: screen.draft.text("training.epochs") == "3")
        assert other.exists()
        await pilot.press("ctrl+z")
        await until(pilot, lambda: not screen.draft.dirty)
    assert other.exists()


async def test_advice_is_applied_at_opening_and_marked() -> None:
    changes = {"training.weight_decay": 0.02, "lora.dropout": 0.1}
    async with editor("parent", changes) as (pilot, screen):
        await until_shown(pilot, "(advised)")
        assert re.search(r"^» dropout +0.1", screen_text(pilot.app), re.MULTILINE)
        assert screen.draft.dirty
        assert screen.query_one(FieldForm).list.cursor == "training.weight_decay"


async def test_a_value_typed_by_hand_over_an_advised_one_is_not_called_advised() -> None:
    async with editor(changes={"training.epochs": 2}, preset="parent") as (pilot, _):
        await until_shown(pilot, "training.epochs  6 -> 2  (advised)")
        await type_into(pilot, "training.epochs", "5")
        await pilot.press("enter")
        await until_shown(pilot, "training.epochs  6 -> 5")
        assert "(advised)" not in screen_text(pilot.app)


async def test_kept_changes_that_equal_the_advice_are_not_asked_about() -> None:
    for _ in range(2):
        async with editor(changes={"training.epochs": 2}, preset="parent") as (pilot, screen):
            await until_shown(pilot, "training.epochs  6 -> 2  (advised)")
            assert pilot.app.screen is screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_warnings_and_the_figures_that_decide_are_seen_at_once(size: tuple[int, int]) -> None:
    async with editor(size=size) as (pilot, screen):
        await until_shown(pilot, "of the plan")
        await pilot.press("2") if size[0] < 120 else None
        shown = [line for line in screen_text(pilot.app).splitlines() if line.strip()]
        for label in ("steps  ", "memory  ", "time  ", "disk  ", "! "):
            assert any(f" {label}" in f" {line}" for line in shown), label
        assert planned(screen).split()[0] == "steps"


async def test_on_a_wide_terminal_every_warning_of_the_plan_is_seen() -> None:
    async with editor("best", size=(120, 40)) as (pilot, _):
        await until_shown(pilot, "5 warnings of the plan")
        assert screen_text(pilot.app).count("▏ ! ") == 5


async def test_many_changes_have_room_beside_the_plan_and_its_chart() -> None:
    changes = {"training.epochs": 5, "training.weight_decay": 0.02, "lora.dropout": 0.1, "training.learning_rate": 3e-5}
    async with editor("best", changes, size=(120, 40)) as (pilot, _):
        await until_shown(pilot, "changed here, 4")
        await until_shown(pilot, "learning rate")
        text = screen_text(pilot.app)
        assert all(f"  {path}  " in text for path in changes)


async def test_a_long_change_shows_the_beginning_of_both_values() -> None:
    longer = "A summary that is so long that it fills more than half of a wide terminal, and then some"
    async with editor("parent", {"about.summary": longer, "training.epochs": 2}) as (pilot, screen):
        await until_shown(pilot, "about.summary  (advised)")
        assert re.search(r"Everything on .*… -> A summary .*…", screen_text(pilot.app))
        await until_shown(pilot, "training.epochs  6 -> 2  (advised)")
        screen.draft.set("about.summary", "")
        screen.draft.saved(screen.draft.base)


async def test_the_footer_names_only_keys_that_work_while_a_value_is_typed() -> None:
    async with editor(size=(200, 60)) as (pilot, _):
        await go_to(pilot, "epochs")
        await until_shown(pilot, "w why")
        await pilot.press("enter")
        await until(pilot, lambda: "w why" not in screen_text(pilot.app))
        assert "^f find" in screen_text(pilot.app)
        assert "r reset" not in screen_text(pilot.app)


async def test_advice_opens_at_its_field_on_a_small_terminal() -> None:
    async with editor("parent", {"training.weight_decay": 0.02}, size=(80, 24)) as (pilot, _):
        await until_shown(pilot, "» weight_decay")


async def test_a_shipped_name_is_refused_in_the_dialog_and_cannot_be_forced() -> None:
    async with editor() as (pilot, screen):
        await type_into(pilot, "epochs", "3")
        await pilot.press("ctrl+s")
        await until_shown(pilot, "Save in presets")
        pilot.app.screen.query_one("#name", Input).value = "quick"
        await pilot.press("enter")
        await until_shown(pilot, "such as quick-2")
        assert "replace the file" not in screen_text(pilot.app)
        await pilot.press("ctrl+r", "escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not preset_file("quick").exists()


async def test_a_preset_that_cannot_be_read_is_said_and_can_be_left() -> None:
    preset_file("broken").write_text("training: {epoch: 1}\n")
    async with editor("broken") as (pilot, screen):
        await until_shown(pilot, "training.epoch: unknown key (did you mean epochs?)")
        await pilot.press("ctrl+s", "slash", "u", "q")
        await until(pilot, lambda: screen not in pilot.app.screen_stack)


async def test_text_from_a_preset_is_shown_literally() -> None:
    preset_file("odd").write_text('about: {summary: "[red]x[/] \\e[31m \\u202e"}\n')
    async with editor("odd") as (pilot, _):
        shown = screen_text(pilot.app)
        assert '"[red]x[/] \\x1b[31m \\u202e"' in shown
        assert "\x1b" not in shown


async def test_sections_fold_and_can_be_jumped_between() -> None:
    async with editor(size=(80, 24)) as (pilot, screen):
        await pilot.press("space")
        assert re.search(r"▸ about .*\n▾ model", screen_text(pilot.app))
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert screen.query_one(FieldForm).list.cursor == "lora"
        await go_to(pilot, "summary")
        assert "▾ about" in screen_text(pilot.app)


async def test_on_a_small_terminal_form_plan_and_changes_take_turns() -> None:
    async with editor(size=(40, 12)) as (pilot, _):
        assert "▾ about" in screen_text(pilot.app)
        await pilot.press("2")
        await until_shown(pilot, "steps    40, 20 an epoch")
        assert "▾ about" not in screen_text(pilot.app)
        await pilot.press("3")
        await until_shown(pilot, "child against parent")
        await pilot.press("1", "j", "j")
        await until_shown(pilot, "about.improvement")


async def test_the_schedule_is_drawn() -> None:
    async with editor() as (pilot, _):
        await until_shown(pilot, "learning rate peak 4e-5")
        assert "cosine" in screen_text(pilot.app)


def fake_editor(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """An editor that is a shell script; `$1` is the file. The terminal is not really lent."""
    script = folder / "editor.sh"
    script.write_text("\n".join(("#!/bin/sh", "set -e", *lines)))
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    monkeypatch.setattr(VlmftConsole, "suspend", lambda app: contextlib.nullcontext())


async def test_the_whole_preset_goes_to_another_editor_and_back(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_editor(here, monkeypatch, "sed -i 's/^  epochs: .*/  epochs: 4/; s/^  r: .*/  r: 8/' \"$1\"")
    async with editor() as (pilot, screen):
        await pilot.press("e")
        await until(pilot, lambda: screen.draft.dirty)
        assert {d.path: d.now for d in screen.draft.differences()} == {"training.epochs": "4", "lora.r": "8"}
        assert not list(drafts_folder().glob("*.yaml"))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: not screen.draft.dirty)


async def test_mistakes_made_there_are_named_with_their_line_and_mended_there(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_editor(
        here,
        monkeypatch,
        'if grep -q "epochs: many" "$1"; then sed -i "s/epochs: many/epochs: 5/" "$1"',
        'else sed -i "s/^  epochs: .*/  epochs: many/" "$1"; fi',
    )
    async with editor() as (pilot, screen):
        await pilot.press("e")
        await until_shown(pilot, "nothing was taken over")
        assert re.search(r"child\.yaml:\d+: training\.epochs: must be a number", screen_text(pilot.app))
        assert not screen.draft.dirty
        await pilot.press("e")
        await until(pilot, lambda: screen.draft.text("training.epochs") == "5")


@pytest.mark.parametrize(
    ("line", "message", "keys"),
    [("exit 1", "ended with status 1", ()), ("echo '[' > \"$1\"", "not valid YAML", ("escape",))],
)
async def test_what_was_typed_there_is_kept_when_it_cannot_be_used(
    here: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str, keys: tuple[str, ...]
) -> None:
    fake_editor(here, monkeypatch, line)
    async with editor() as (pilot, _):
        await pilot.press("e")
        await until_shown(pilot, message)
        await pilot.press(*keys)
        await until(pilot, lambda: "the file is kept" in told(pilot.app))
        assert list(drafts_folder().glob("child-*.yaml"))


async def test_what_is_kept_stays_when_the_other_editor_is_opened_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_editor(here, monkeypatch, 'echo typed >> "$1"', "exit 1")
    async with editor() as (pilot, _):
        for count in (1, 2):
            await pilot.press("e")
            await until(pilot, lambda count=count: len(list(drafts_folder().glob("child-*.yaml"))) == count)
        assert all(file.read_text().count("typed") == 1 for file in drafts_folder().glob("child-*.yaml"))


async def test_an_editor_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    monkeypatch.setattr(VlmftConsole, "suspend", lambda app: contextlib.nullcontext())
    async with editor() as (pilot, _):
        await pilot.press("e")
        await until_shown(pilot, "/no/such/editor cannot be started")


def planned(screen: EditorScreen) -> str:
    """What the plan says, seen or not."""
    return " ".join(text for line in screen.query_one(PlanPanel).shown for text, _ in line)


class _NoRuns(Screen[None]):
    """Stands in for the list of runs, which shows times."""


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
def test_the_editor_looks_as_it_should(
    size: tuple[int, int], snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VlmftConsole, "get_default_screen", lambda app: _NoRuns())

    async def edit(pilot: Pilot[None]) -> None:
        screen = EditorScreen("child", {"training.weight_decay": 0.02})
        await pilot.app.push_screen(screen)
        await type_into(pilot, "epochs", "3")
        await pilot.press("enter")
        await until(pilot, lambda: "60," in planned(screen))
        await type_into(pilot, "learning_rate", "4e")
        await pilot.press("enter")
        await until(pilot, lambda: "the last" in planned(screen))

    assert snap_compare(VlmftConsole(), terminal_size=size, run_before=edit)
