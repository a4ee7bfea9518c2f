"""A preset being changed: whatever is typed, nothing is lost and what is saved loads back equal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_console.paths import preset_folders, shipped_presets
from vlmft_console.presets import Draft, fields, open_preset, sections
from vlmft_console.presets.keep import Keeper
from vlmft_console.presets.outside import editor_command, from_file, to_file
from vlmft_console.presets.save import save_as
from vlmft_console.presets.table import SHIPPED, is_shipped
from vlmft_console.presets.values import read, written
from vlmft_core.durable import as_json, read_json
from vlmft_core.errors import PresetError
from vlmft_core.preset import LoadedPreset, Preset, load_preset
from vlmft_core.preset.schema import About


def loaded(name: str | Path = "best") -> LoadedPreset:
    return load_preset(name, preset_folders())


def test_every_field_of_the_schema_can_be_edited_and_says_what_it_means() -> None:
    known = {f"{section}.{key}" for section in sections() for key in type(getattr(Preset(), section)).model_fields}
    assert set(fields()) == known
    assert all(field.meaning for field in fields().values())
    assert fields()["lora.r"].limits == "1 to 1024"
    assert fields()["lora.dropout"].limits == "at least 0, below 1"
    assert fields()["data.max_train"].limits == "at least 1, or null"
    assert fields()["training.scheduler"].choices == ("cosine", "linear", "constant")
    assert fields()["data.pin_memory"].choices == ("true", "false")
    assert fields()["data.sources"].structured


@pytest.mark.parametrize("name", ["quick", "standard", "good", "best", "ultimate", "demo"])
def test_an_untouched_draft_is_the_preset(name: str) -> None:
    draft = Draft(loaded(name))
    assert draft.preset == loaded(name).preset
    assert not draft.errors
    assert not draft.dirty


def test_a_value_is_written_as_people_write_it() -> None:
    draft = Draft(loaded())
    assert draft.text("training.learning_rate") == "4e-5"
    assert draft.text("training.epochs") == "6"
    assert draft.text("lora.target_modules") == "[q_proj, v_proj, o_proj]"
    assert draft.text("data.pin_memory") == "true"
    assert "best.yaml:" in draft.origin("training.epochs")


def test_a_typed_value_becomes_part_of_the_preset() -> None:
    draft = Draft(loaded())
    assert draft.set("training.epochs", "3") == ""
    assert draft.preset is not None
    assert draft.preset.training.epochs == 3
    assert [(d.path, d.before, d.now) for d in draft.differences()] == [("training.epochs", "6", "3")]


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("training.epochs", "", "is empty"),
        ("training.epochs", "thr", "must be a number, not 'thr'"),
        ("training.epochs", "1e", "must be a number"),
        ("training.epochs", "0", "must be above 0, not 0"),
        ("training.learning_rate", "nan", "must be a number"),
        ("lora.r", "1.5", "must be a whole number"),
        ("lora.r", "017", "leading zero"),
        ("lora.target_modules", "[q_proj", "not valid YAML"),
        ("data.sources", "[{task: chartqa}]", "missing"),
        ("data.sources", "&a [*a]", "anchors"),
        ("training.scheduler", "cosin", "did you mean cosine?"),
        ("model.base", "", "must not be empty"),
        ("about.summary", "a\x1b[31mb", r'control character (write it as in "\t", with the quotes)'),
    ],
)
def test_a_wrong_or_half_typed_value_is_kept_and_named(path: str, text: str, message: str) -> None:
    draft = Draft(loaded())
    assert message in draft.set(path, text)
    assert draft.text(path) == text
    assert draft.preset is None
    assert list(draft.errors) == [path]


def test_values_that_do_not_fit_each_other_are_named_at_each_of_them() -> None:
    draft = Draft(loaded())
    message = draft.set("training.effective_batch", "33")
    assert "not a multiple" in message
    assert set(draft.errors) == {"training.effective_batch", "training.micro_batch", "hardware.gpus"}
    draft.set("training.micro_batch", "x")  # the mistake typed last must not hide behind the first
    assert "must be a whole number" in draft.errors["training.micro_batch"]


def test_the_same_number_written_differently_is_no_difference() -> None:
    draft = Draft(loaded())
    draft.set("training.epochs", "6.0")
    draft.set("training.learning_rate", "0.00004")
    assert not draft.dirty


def test_typing_in_one_field_is_one_step_back() -> None:
    draft = Draft(loaded())
    for text in ("", "1", "12"):
        draft.set("training.epochs", text)
    draft.settle()
    draft.set("lora.r", "8")
    assert draft.undo()
    assert (draft.text("training.epochs"), draft.text("lora.r")) == ("12", "16")
    assert draft.undo()
    assert not draft.dirty
    assert not draft.undo()
    assert draft.redo()
    assert draft.redo()
    assert not draft.redo()
    assert (draft.text("training.epochs"), draft.text("lora.r")) == ("12", "8")


def test_a_field_typed_back_to_its_value_leaves_no_step() -> None:
    draft = Draft(loaded())
    draft.set("training.epochs", "7")
    draft.set("training.epochs", "6")
    draft.settle()
    assert not draft.undo()


def test_a_reason_goes_with_its_value() -> None:
    draft = Draft(loaded())
    assert draft.reason("training.epochs")
    draft.set("training.epochs", "3")
    assert draft.reason("training.epochs") == ""
    draft.set("reasons.training.epochs", "A quick look")
    assert draft.preset is not None
    assert draft.preset.reasons["training.epochs"] == "A quick look"
    draft.reset("training.epochs")
    assert draft.reason("training.epochs") == loaded().preset.reasons["training.epochs"]
    assert not draft.dirty


def test_advice_is_applied_as_one_step_and_marked() -> None:
    draft = Draft(loaded(), {"training.weight_decay": 0.02, "lora.dropout": 0.1})
    assert draft.advised == {"training.weight_decay", "lora.dropout"}
    assert draft.preset is not None
    assert draft.preset.training.weight_decay == 0.02
    draft.undo()
    assert not draft.dirty
    with pytest.raises(PresetError, match="no such parameter"):
        Draft(loaded(), {"training.nope": 1})


def test_what_the_preset_itself_changes_is_known() -> None:
    inherited = {difference.path: difference for difference in Draft(loaded("quick")).inherited()}
    assert (inherited["training.epochs"].before, inherited["training.epochs"].now) == ("6", "1")
    assert not Draft(loaded("best")).inherited()


def test_a_child_says_only_what_differs_and_loads_back_equal(tmp_path: Path) -> None:
    draft = Draft(loaded("quick"))
    draft.set("training.epochs", "2.5")
    draft.set("reasons.training.epochs", "In between")
    draft.set("data.sources", "[{task: chartqa, path: ./mine}]")
    saved = save_as(draft, "mine", tmp_path, preset_folders())
    text = (tmp_path / "mine.yaml").read_text()
    assert text.startswith("extends: quick\n")
    assert "scheduler" not in text
    assert "In between" in text
    assert draft.preset is not None
    assert loaded(tmp_path / "mine.yaml").preset == saved.preset == draft.preset.model_copy(update={"about": About()})
    draft.saved(saved)
    assert not draft.dirty
    draft.undo()
    assert draft.dirty


def test_what_is_promised_of_a_preset_is_not_said_of_one_that_is_made_of_it(tmp_path: Path) -> None:
    draft = Draft(loaded("best"))
    draft.take({"training.epochs": "4", "about.summary": "Four epochs", "about.time": "12h"})
    about = save_as(draft, "mine", tmp_path, preset_folders()).preset.about
    assert about == About(summary="Four epochs", time="12h")


def test_a_preset_saved_over_itself_keeps_its_parent(tmp_path: Path) -> None:
    draft = Draft(loaded("quick"))
    draft.set("training.epochs", "2")
    draft.saved(save_as(draft, "mine", tmp_path, preset_folders()))
    draft.set("lora.r", "8")
    with pytest.raises(PresetError, match="exists already"):
        save_as(draft, "mine", tmp_path, preset_folders())
    save_as(draft, "mine", tmp_path, preset_folders(), replace=True)
    text = (tmp_path / "mine.yaml").read_text()
    assert text.startswith("extends: quick\n")
    assert "epochs: 2" in text
    assert "r: 8" in text


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_name_is_refused_with_one_that_is_free(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / f"{name}-2.yaml").write_text("extends: best\n")
    draft = Draft(loaded(name))
    draft.set("training.epochs", "7")
    for replace in (False, True):
        with pytest.raises(PresetError, match=rf"^{name} is a preset that comes with vlmft .*such as {name}-3\)$"):
            save_as(draft, name, folder, preset_folders(), replace=replace)
    with pytest.raises(PresetError, match="comes with vlmft"):
        save_as(draft, name, loaded(name).path.parent, preset_folders(), replace=True)
    assert [file.name for file in folder.iterdir()] == [f"{name}-2.yaml"]


def test_a_preset_that_hides_a_shipped_one_already_is_saved_over_itself(tmp_path: Path) -> None:
    (tmp_path / "best.yaml").write_text("extends: best\ntraining: {epochs: 5}\n")
    folders = [tmp_path, *preset_folders()]
    draft = Draft(load_preset("best", folders))
    draft.set("lora.r", "8")
    saved = save_as(draft, "best", tmp_path, folders, replace=True)
    assert (saved.extends, saved.preset.training.epochs, saved.preset.lora.r) == ("best", 5, 8)


def test_every_shipped_name_is_a_shipped_preset() -> None:
    assert all(is_shipped(shipped_presets() / f"{name}.yaml") and loaded(name) for name in SHIPPED)


def test_the_preset_of_a_run_becomes_a_child_of_what_the_run_began_from(tmp_path: Path) -> None:
    from vlmft_core.preset import dump_preset

    run = tmp_path / "run"
    run.mkdir()
    (run / "preset.yaml").write_text(dump_preset(loaded("good").preset))
    (run / "run.json").write_text('{"preset": {"name": "good"}}')
    draft = Draft(open_preset(run / "preset.yaml", preset_folders()), {"training.weight_decay": 0.02})
    save_as(draft, "calmer", tmp_path, preset_folders())
    assert (tmp_path / "calmer.yaml").read_text() == "extends: good\n\ntraining:\n  weight_decay: 0.02\n"


def test_a_preset_without_a_name_is_saved_complete(tmp_path: Path) -> None:
    (tmp_path / "odd name.yaml").write_text("training: {epochs: 2}\n")
    draft = Draft(loaded(tmp_path / "odd name.yaml"))
    draft.set("lora.r", "8")
    assert save_as(draft, "named", tmp_path, preset_folders()).preset == draft.preset
    assert "extends" not in (tmp_path / "named.yaml").read_text()


@pytest.mark.parametrize("name", ["", "a b", "../up", ".", "..", "x" * 65, "é"])
def test_a_bad_name_is_refused_and_nothing_written(tmp_path: Path, name: str) -> None:
    draft = Draft(loaded())
    draft.set("lora.r", "8")
    with pytest.raises(PresetError, match="cannot name a preset"):
        save_as(draft, name, tmp_path, preset_folders())
    assert not list(tmp_path.iterdir())


def test_a_draft_with_a_mistake_is_not_saved(tmp_path: Path) -> None:
    draft = Draft(loaded())
    draft.set("lora.r", "many")
    with pytest.raises(PresetError, match=r"lora\.r: must be a whole number"):
        save_as(draft, "mine", tmp_path, preset_folders())
    assert not list(tmp_path.iterdir())


def test_unsaved_changes_come_back_in_the_next_session(tmp_path: Path) -> None:
    draft = Draft(loaded())
    draft.set("lora.r", "man")
    keeper = Keeper(draft.base)
    keeper.keep(draft.unsaved())
    left = Keeper(loaded()).left()
    assert left is not None
    again = Draft(loaded())
    again.take(left.texts)
    assert again.text("lora.r") == "man"
    assert Keeper(loaded("quick")).left() is None
    keeper.keep({})
    assert Keeper(loaded()).left() is None


def kept_by(keeper: Keeper, name: str, texts: dict[str, str], **by: object) -> None:
    """Changes of another session, which says so of itself."""
    keeper.keep(texts)
    said = read_json(keeper.file) or {}
    keeper.forget()
    keeper.file.with_name(f"{keeper.file.name.partition('-')[0]}-{name}.json").write_text(
        as_json({**said, "by": {**said["by"], **by}})
    )


def test_unsaved_changes_of_a_living_session_are_not_offered() -> None:
    keeper = Keeper(loaded())
    kept_by(keeper, "living", {"lora.r": "8"}, pid=1)
    assert keeper.left() is None
    kept_by(keeper, "over", {"lora.r": "9"}, pid=4194305)
    left = keeper.left()
    assert left is not None
    assert (left.texts, left.elsewhere) == ({"lora.r": "9"}, "")


def test_of_unsaved_changes_on_a_machine_that_shares_the_home_the_machine_is_named() -> None:
    keeper = Keeper(loaded())
    kept_by(keeper, "other", {"lora.r": "8"}, pid=1, host="login2", boot_id="another")
    left = keeper.left()
    assert left is not None
    assert (left.texts, left.elsewhere) == ({"lora.r": "8"}, "login2")
    # Those of this machine go first; from before it was started again they are over, whoever has that number now.
    kept_by(keeper, "before", {"lora.r": "9"}, pid=1, boot_id="earlier")
    for file in keeper.file.parent.glob("*-before.json"):
        os.utime(file, (0, 0))
    left = keeper.left()
    assert left is not None
    assert (left.texts, left.elsewhere) == ({"lora.r": "9"}, "")


def test_another_editor_gets_everything_and_gives_it_back() -> None:
    draft = Draft(loaded("quick"))
    draft.set("lora.r", "8")
    text = to_file(draft)
    from_file(draft, text.replace("epochs: 1.0", "epochs: 3").replace("epochs: 1\n", "epochs: 3\n"))
    assert draft.preset is not None
    assert (draft.preset.training.epochs, draft.preset.lora.r) == (3, 8)
    assert {difference.path for difference in draft.differences()} == {"training.epochs", "lora.r"}
    draft.undo()
    assert [difference.path for difference in draft.differences()] == ["lora.r"]


def test_a_mistake_made_in_another_editor_is_named_with_its_line_and_changes_nothing() -> None:
    draft = Draft(loaded())
    draft.set("lora.r", "many")
    lines = to_file(draft).splitlines()
    place = next(number for number, line in enumerate(lines, 1) if line.strip() == "r: many")
    with pytest.raises(PresetError, match=rf"best\.yaml:{place}: lora\.r: must be a whole number"):
        from_file(draft, "\n".join(lines))
    with pytest.raises(PresetError, match=r"best\.yaml:2: not valid YAML"):
        from_file(draft, "training: [")
    assert [difference.path for difference in draft.differences()] == ["lora.r"]


def test_the_persons_own_editor_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "nano -w")
    monkeypatch.delenv("VISUAL", raising=False)
    assert editor_command() == ["nano", "-w"]
    monkeypatch.setenv("VISUAL", "code --wait")
    assert editor_command() == ["code", "--wait"]
    monkeypatch.setenv("VISUAL", "'")
    with pytest.raises(PresetError, match="VISUAL"):
        editor_command()


TYPED = st.one_of(
    st.text(), st.sampled_from(["{", "[[", "- a\n- b", "!!x", "&a *a", "0x", "1e999", "...", "%YAML", "\ufeff"])
)


@given(path=st.sampled_from([*fields(), "reasons.lora.r"]), text=TYPED)
@settings(max_examples=300)
def test_whatever_is_typed_in_any_field_is_kept_and_never_raises(path: str, text: str) -> None:
    draft = Draft(loaded())
    message = draft.set(path, text)
    assert draft.text(path) == text
    assert (draft.preset is None) == bool(message)
    draft.differences()
    to_file(draft)
    draft.settle()
    draft.undo()
    assert not draft.dirty


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=200)
def test_any_text_is_shown_printable_on_one_line_and_reads_back_equal(text: str) -> None:
    line = written(text, plain=True)
    assert line.isprintable()
    assert read(line, plain=True) == text
