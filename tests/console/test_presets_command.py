"""`vlmft presets`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vlmft_console import paths
from vlmft_console.cli import app
from vlmft_console.paths import shipped_presets
from vlmft_console.presets.table import is_shipped
from vlmft_core.plan import make_plan
from vlmft_core.plan.gpus import asked_gpu
from vlmft_core.preset import load_preset

CHECKOUT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("here")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["presets", *arguments])


def test_list_shows_every_shipped_preset_within_80_columns() -> None:
    result = call("list")
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.stdout.splitlines() if line[0] != " "} == {
        *("name", "best", "demo", "good", "quick", "standard", "ultimate")
    }
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_preset_beside_the_work_is_listed_and_wins_over_a_shipped_one(here: Path) -> None:
    (here / "presets").mkdir()
    (here / "presets" / "best.yaml").write_text("extends: best\nabout: {summary: mine}\n")
    (here / "presets" / "broken.yaml").write_text("training: {epoch: 1}\n")
    entries = {entry["name"]: entry for entry in json.loads(call("list", "--json").stdout)}
    assert entries["best"]["summary"] == "mine"
    assert entries["best"]["path"] == "presets/best.yaml"
    assert "unknown key" in entries["broken"]["error"]
    assert "cannot be used: presets/broken.yaml:1: training.epoch" in " ".join(call("list").stdout.split())


def test_in_a_checkout_the_presets_that_come_with_it_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    entries = json.loads(call("list", "--json").stdout)
    assert {entry["name"] for entry in entries} >= {"best", "demo"}
    assert not [entry["name"] for entry in entries if entry["own"] or entry["hides"]]


def test_ones_own_presets_are_marked_and_one_that_hides_a_shipped_one_says_so(here: Path) -> None:
    assert "yours" not in call("list").stdout
    (here / "presets").mkdir()
    (here / "presets" / "best.yaml").write_text("extends: best\nabout: {summary: not that}\n")
    (here / "presets" / "mine.yaml").write_text("extends: best\nabout: {summary: new}\n")
    shown = call("list").stdout
    whose = {line.split()[0]: line.split()[1] for line in shown.splitlines() if line[0] != " "}
    assert (whose["best"], whose["mine"], whose["good"]) == ("yours", "yours", "vlmft's")
    assert "(hides the best that" in shown
    assert "presets/best.yaml)" in shown
    entries = {entry["name"]: entry for entry in json.loads(call("list", "--json").stdout)}
    assert [(entries[name]["own"], entries[name]["hides"]) for name in ("best", "mine", "good")] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_an_import_under_a_shipped_name_is_refused(here: Path) -> None:
    (here / "sft.json").write_text("{}")
    result = call("import", "sft.json", "--name", "quick")
    assert result.exit_code == 2
    assert "choose another name, such as quick-2" in result.stderr


def test_a_preset_in_the_users_folder_is_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = here / "config" / "vlmft" / "presets"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("extends: best\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
    assert json.loads(call("show", "mine", "--json").stdout)["extends"] == "best"


def test_an_installed_package_has_its_own_shipped_presets(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.preset_folders()[-1] == CHECKOUT / "presets"
    monkeypatch.setattr(paths, "_CHECKOUT", here)
    assert paths.preset_folders()[-1] == CHECKOUT / "console" / "vlmft_console" / "shipped" / "presets"
    assert [folder.is_absolute() for folder in paths.preset_folders()] == [False, True, True]


def test_inside_a_checkout_its_presets_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    assert [folder.name for folder in paths.preset_folders()] == ["presets", "presets"]
    assert paths.preset_folders()[0] == Path("presets")


def test_show_gives_every_value_with_its_reason_and_marks_what_differs() -> None:
    result = call("show", "ultimate")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("* r ") and "32" in line for line in lines)
    assert any(line.startswith("  dropout") and "0.05" in line for line in lines)
    assert "Still twice the rank" in result.stdout
    data = json.loads(call("show", "ultimate", "--json").stdout)
    assert data["changed"][-3:] == ["lora.alpha", "lora.r", "lora.target_modules"]
    assert data["origins"]["lora.r"].endswith("ultimate.yaml:11")
    assert data["preset"]["training"]["learning_rate"] == 4e-5


def test_compare_prints_the_published_table_from_the_files() -> None:
    rows = {line[:24].strip(): line[24:].split() for line in call("compare").stdout.splitlines()}
    assert rows[""] != rows["Epochs"] == ["1", "2", "5", "6", "6"]
    assert rows["Learning Rate"] == ["2e-4", "1e-4", "5e-5", "4e-5", "4e-5"]
    assert rows["Scheduler"] == ["linear", "linear", "cosine", "cosine", "cosine"]
    assert rows["Warmup"] == ["3%", "3%", "5%", "6%", "6%"]
    assert rows["Weight Decay"] == ["0.0", "0.0", "0.01", "0.01", "0.01"]
    assert rows["Eval Steps"] == ["500", "500", "500", "250", "250"]
    assert rows["Save Limit"] == ["∞", "∞", "3", "5", "5"]
    assert rows["Auto Best"] == ["no", "no", "yes", "yes", "yes"]
    assert rows["Dataloader Workers"] == ["2", "2", "2", "2", "2"]
    assert rows["LoRA Rank"] == ["16", "16", "16", "16", "32"]
    assert rows["Expected Improvement"][:4] == ["Baseline", "+5%", "+12%", "+15-20%"]
    assert rows["Training Time (8 A100)"] == ["26-47min", "0.9-1.6h", "2.2-3.9h", "2.6-4.7h", "2.6-4.7h"]
    assert rows["Published Time"] == ["3-4h", "6-8h", "15-20h", "18-24h", "36-48h"]


def test_compare_takes_names_and_leaves_out_what_does_not_differ() -> None:
    result = call("compare", "quick", "best")
    assert "LoRA" not in result.stdout
    columns = json.loads(call("compare", "quick", "best", "--json").stdout)
    assert [column["name"] for column in columns] == ["quick", "best"]
    assert columns[0]["Save Limit"] is None
    assert columns[1]["Learning Rate"] == 4e-5


def test_validate_says_every_mistake_of_every_file_and_fails(here: Path) -> None:
    (here / "a.yaml").write_text("training:\n  epoch: 1\n  warmup_ratio: 2\n")
    (here / "b.yaml").write_text("lora: {target_modules: [qkv]}\n")
    result = call("validate", "a.yaml", "best", "b.yaml", "none.yaml")
    assert result.exit_code == 2
    assert result.stdout == "best: ok\n"
    assert [line.partition(" (")[0] for line in result.stderr.splitlines()] == [
        "a.yaml:2: training.epoch: unknown key",
        "a.yaml:3: training.warmup_ratio: must be at most 1, not 2",
        "b.yaml: lora.target_modules: 'qkv' matches no layer of the language model",
        "none.yaml: cannot be read: No such file or directory",
    ]
    data = json.loads(call("validate", "a.yaml", "best", "--json").stdout)
    assert [(entry["ok"], len(entry["errors"])) for entry in data] == [(False, 2), (True, 0)]
    assert call("validate", "best", "demo", "ultimate").exit_code == 0


def test_a_mistake_is_one_line_on_stderr_with_exit_code_2(here: Path) -> None:
    (here / "a.yaml").write_text("training:\n  epoch: 1\n")
    for arguments in (("show", "a.yaml"), ("compare", "best", "a.yaml"), ("export", "a.yaml")):
        result = call(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "vlmft: a.yaml:2: training.epoch: unknown key (did you mean epochs?)\n"


def test_markup_and_escapes_in_a_preset_are_shown_literally(here: Path) -> None:
    (here / "a.yaml").write_text('about: {summary: "[red]x[/red] [/oops] \\e[31m"}\nreasons: {lora.r: "[bold]b"}\n')
    for arguments in (("show", "a.yaml"), ("show", "a.yaml", "--json")):
        result = call(*arguments)
        assert result.exit_code == 0
        assert "[red]x[/red] [/oops]" in result.stdout
        assert "\x1b" not in result.stdout
    assert "[bold]b" in call("show", "a.yaml").stdout


def test_export_and_import_round_trip_through_the_published_json(here: Path) -> None:
    exported = call("export", "good", "-o", "good.json")
    assert (exported.exit_code, exported.stdout) == (0, "written: good.json\n")
    assert "--target_modules=q_proj,v_proj,o_proj" in exported.stderr
    assert "not exported" not in exported.stderr
    assert json.loads((here / "good.json").read_text())["num_train_epochs"] == 5
    imported = call("import", "good.json", "-o", "mine.yaml")
    assert imported.exit_code == 0
    assert "effective batch 128" in imported.stderr
    mine, good = (json.loads(call("show", name, "--json").stdout)["preset"] for name in ("mine.yaml", "good"))
    assert mine["training"] == good["training"]
    assert mine["checkpoints"] == good["checkpoints"]


def test_what_the_published_json_has_no_word_for_is_named(here: Path) -> None:
    (here / "mine.yaml").write_text("extends: best\nlora: {dora: true}\nmodel: {quantization: nf4}\n")
    lost = "note: the recipe has no word for model.quantization, lora.dora: not exported\n"
    assert lost in call("export", "mine.yaml").stderr
    (here / "all.yaml").write_text("extends: best\ndata: {max_train: null, max_eval: null}\n")
    lost = "note: the recipe has no word for data.max_train, data.max_eval: not exported\n"
    assert lost in call("export", "all.yaml").stderr


def test_an_import_can_be_saved_under_a_name(here: Path) -> None:
    (here / "sft.json").write_text('{"num_train_epochs": 3 // short\n}')
    assert call("import", "sft.json", "--name", "short").exit_code == 0
    assert json.loads(call("show", "short", "--json").stdout)["preset"]["training"]["epochs"] == 3
    (here / "presets").mkdir()
    assert call("import", "sft.json", "--name", "here").stdout == "written: presets/here.yaml\n"


def test_nothing_is_overwritten_unasked_and_nothing_is_left_half_written(here: Path) -> None:
    (here / "sft.json").write_text('{"num_train_epochs": 3}')
    (here / "out.yaml").write_text("precious")
    result = call("import", "sft.json", "-o", "out.yaml")
    assert (result.exit_code, result.stderr) == (2, "vlmft: out.yaml: exists already (pass --force to replace it)\n")
    assert (here / "out.yaml").read_text() == "precious"
    assert call("import", "sft.json", "-o", "out.yaml", "--force").exit_code == 0
    assert call("export", "best", "-o", "no/such/folder.json").exit_code == 2
    assert call("export", "best", "-o", ".", "--force").exit_code == 2
    (here / "bad.json").write_text('{"num_train_epochs": 0}')
    assert call("import", "bad.json", "-o", "new.yaml").exit_code == 2
    assert sorted(path.name for path in here.iterdir()) == ["bad.json", "out.yaml", "sft.json"]


@pytest.mark.parametrize(
    "arguments", [("sft.yaml",), ("sft.json", "--name", "../x"), ("sft.json", "--name", "a", "-o", "b"), ("none.json",)]
)
def test_an_import_that_makes_no_sense_is_refused(here: Path, arguments: tuple[str, ...]) -> None:
    (here / "sft.json").write_text("{}")
    result = call("import", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("vlmft: ")


def test_a_file_equal_to_a_shipped_preset_hides_nothing(tmp_path: Path) -> None:
    shipped = shipped_presets() / "good.yaml"
    (tmp_path / "good.yaml").write_bytes(shipped.read_bytes())
    assert is_shipped(tmp_path / "good.yaml")
    (tmp_path / "good.yaml").write_text("extends: best\n")
    assert not is_shipped(tmp_path / "good.yaml")


def test_hours_are_those_of_the_plan_for_the_gpus_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_console.commands.presets.smallest_gpu", lambda: asked_gpu("H100"))
    entries = {entry["name"]: entry for entry in json.loads(call("list", "--json").stdout)}
    plan = make_plan(load_preset("best", [CHECKOUT / "presets"]).preset, gpu=asked_gpu("H100"))
    assert entries["best"]["hours"] == list(plan.hours or ())
    assert entries["best"]["on"] == "8 H100 80GB HBM3"
    assert entries["demo"]["hours"] is None
    shown = call("list").stdout
    assert "0.8-1.5h" in shown
    assert "time (8 H100 80GB HBM3)" in " ".join(shown.split())
    detail = call("show", "best").stdout
    assert "time: 0.8-1.5h on 8 H100 80GB HBM3" in detail
    assert "time by the published recipe: 18-24h on 8 GPUs" in detail


def test_a_preset_that_cannot_be_planned_has_no_hours_and_is_listed(here: Path) -> None:
    (here / "presets").mkdir()
    (here / "presets" / "odd.yaml").write_text("extends: best\nmodel: {base: ./nowhere}\n")
    entries = {entry["name"]: entry for entry in json.loads(call("list", "--json").stdout)}
    assert entries["odd"]["hours"] is None
    assert "error" not in entries["odd"]
