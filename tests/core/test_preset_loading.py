"""Loading: extending, overriding, and errors that name file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_core.errors import PresetError
from vlmft_core.preset import Preset, changed, dump_preset, find_presets, load_preset


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def refused(path: Path | str, *overrides: str, folders: tuple[Path, ...] = ()) -> list[str]:
    with pytest.raises(PresetError) as caught:
        load_preset(path, folders, overrides)
    return str(caught.value).splitlines()


def test_a_child_says_only_what_differs_and_every_value_knows_its_line(tmp_path: Path) -> None:
    parent = write(tmp_path, "parent", "training:\n  epochs: 3\n  seed: 1\nlora:\n  target_modules: [q_proj, v_proj]\n")
    child = write(tmp_path, "child", "extends: parent\ntraining:\n  epochs: 2\nlora:\n  target_modules: [o_proj]\n")
    loaded = load_preset("child", [tmp_path])
    assert (loaded.name, loaded.path, loaded.extends) == ("child", child, "parent")
    assert (loaded.preset.training.epochs, loaded.preset.training.seed) == (2, 1)
    assert loaded.preset.lora.target_modules == ["o_proj"]
    assert loaded.origins["training.epochs"] == (str(child), 3)
    assert loaded.origins["training.seed"] == (str(parent), 3)
    assert changed(loaded) == {"training.epochs": (3, 2), "lora.target_modules": (["q_proj", "v_proj"], ["o_proj"])}


def test_a_reason_goes_with_its_value(tmp_path: Path) -> None:
    reasons = "reasons:\n  training.epochs: three is enough\n  training.seed: any\n"
    write(tmp_path, "parent", reasons + "training: {epochs: 3, seed: 1}\n")
    write(
        tmp_path, "child", "extends: parent\nreasons:\n  lora.r: small\nlora: {r: 4}\ntraining: {epochs: 2, seed: 1}\n"
    )
    assert load_preset("child", [tmp_path]).preset.reasons == {"training.seed": "any", "lora.r": "small"}


def test_a_parent_is_looked_for_beside_the_file_and_then_in_the_folders(tmp_path: Path) -> None:
    write(tmp_path / "far", "base", "training: {epochs: 9}")
    child = write(tmp_path / "near", "child", "extends: base")
    assert load_preset(child, [tmp_path / "far"]).preset.training.epochs == 9
    write(tmp_path / "near", "base", "training: {epochs: 1}")
    assert load_preset(child, [tmp_path / "far"]).preset.training.epochs == 1


def test_a_preset_may_extend_one_of_its_own_name_in_a_later_folder(tmp_path: Path) -> None:
    write(tmp_path / "shipped", "best", "training: {epochs: 9, seed: 5}")
    write(tmp_path / "own", "best", "extends: best\ntraining: {epochs: 2}")
    training = load_preset("best", [tmp_path / "own", tmp_path / "shipped"]).preset.training
    assert (training.epochs, training.seed) == (2, 5)


def test_a_circle_of_parents_is_refused_with_its_chain(tmp_path: Path) -> None:
    write(tmp_path, "a", "extends: b")
    write(tmp_path, "b", "# first line\nextends: c")
    write(tmp_path, "c", "extends: a")
    write(tmp_path, "self", "extends: self")
    assert "c.yaml:1: extends goes round in a circle: a -> b -> c -> a" in refused("a", folders=(tmp_path,))[0]
    assert "self -> self" in refused("self", folders=(tmp_path,))[0]


@pytest.mark.parametrize("parent", ["../best", "[a]", "5", "''", "~/best"])
def test_a_parent_is_a_name_not_a_path(tmp_path: Path, parent: str) -> None:
    assert ":1: extends: must be the name" in refused(write(tmp_path, "a", f"extends: {parent}"))[0]


def test_an_unknown_parent_or_preset_is_answered_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "best", "training: {epochs: 1}")
    child = write(tmp_path, "child", "extends: bst")
    assert refused(child) == [f"{child}:1: extends: no preset is called bst (did you mean best?)"]
    assert refused("bestt", folders=(tmp_path,)) == ["no preset is called 'bestt' (did you mean best?)"]
    assert refused("best") == ["no preset is called 'best' (give the path of a YAML file)"]


def test_every_mistake_is_one_line_with_file_line_key_and_remedy(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "bad",
        "training:\n"
        "  epoch: 3\n"
        "  learning_rate: '4e-5'\n"
        "  warmup_ratio: 1.5\n"
        "epochs: 3\n"
        "trainig: {}\n"
        "model: {attention: flash}\n"
        "data: {sources: [{task: chartqa}]}\n"
        "lora:\n"
        "reasons: {training.epoch: because}\n",
    )
    assert [line.removeprefix(f"{path}:") for line in refused(path)] == [
        "2: training.epoch: unknown key (did you mean epochs?)",
        "3: training.learning_rate: must be a number, not '4e-5' (remove the quotes)",
        "4: training.warmup_ratio: must be at most 1, not 1.5 "
        "(Share of all steps over which the learning rate rises from 0 to its peak, 0 to 1)",
        "5: epochs: unknown key (write epochs under `training:`)",
        "6: trainig: unknown key (did you mean training?)",
        "7: model.attention: must be 'auto', 'sdpa', 'flash_attention_2' or 'eager', not 'flash' "
        "(did you mean flash_attention_2?)",
        "8: data.sources.0.path: missing "
        "(A data set's name on the hub, a local folder or file, or `demo` for generated data)",
        "9: lora: must be a section of `key: value` lines, not null (The adapter)",
    ]


@pytest.mark.parametrize(
    "override",
    [
        "training.learning_rate=.nan",
        "training.learning_rate=.inf",
        "training.learning_rate=-1e-4",
        "training.learning_rate=0",
        "training.warmup_ratio=1.01",
        "training.epochs=0",
        "training.epochs=true",
        "evaluation.eval_steps=0",
        "data.max_train=8e4",
        "lora.target_modules=[]",
        "lora.target_modules=q_proj",
        "training.epoch=3",
        "training.epochs=017",
        "training.epochs=[1",
        "model.base=",
    ],
)
def test_a_wrong_override_names_itself(tmp_path: Path, override: str) -> None:
    lines = refused(write(tmp_path, "a", "training: {epochs: 2}"), override)
    assert len(lines) == 1
    assert lines[0].startswith(f"--set {override.partition('=')[0]}: ")


@pytest.mark.parametrize("override", ["training", "training=3", "training.epochs", "=3", ".=3", "training.=3"])
def test_an_override_that_is_no_setting_says_how_one_looks(tmp_path: Path, override: str) -> None:
    assert "write section.key=value" in refused(write(tmp_path, "a", "training: {epochs: 2}"), override)[0]


def test_overrides_win_over_files_and_read_values_like_files(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "training: {learning_rate: 1e-4}")
    loaded = load_preset(
        path, (), ["training.learning_rate=4e-5", "lora.target_modules=[q_proj]", "data.max_train=null"]
    )
    assert loaded.preset.training.learning_rate == 4e-5
    assert loaded.preset.lora.target_modules == ["q_proj"]
    assert loaded.preset.data.max_train is None
    assert str(loaded.origins["training.learning_rate"]) == "--set training.learning_rate"


def test_fields_that_do_not_fit_together_are_blamed_on_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "training:\n  micro_batch: 3\n")
    assert refused(path)[0].startswith(f"{path}:2: training.effective_batch 128 is not a multiple of")
    path = write(tmp_path, "b", "lora:\n  r: 8\n")
    assert refused(path, "hardware.gpus=5")[0].startswith("--set hardware.gpus: training.effective_batch 128 is not")
    path = write(tmp_path, "c", "lora: {r: 8}\nreasons:\n  lora.rank: small\n")
    assert refused(path) == [f"{path}:3: reasons.lora.rank: no such parameter (did you mean lora.r?)"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- a\n", "not a preset"),
        ("best", "not a preset"),
        ("root:*:20228:0:99999:7:::\n", "not a preset"),
    ],
)
def test_a_file_without_sections_is_refused(tmp_path: Path, text: str, what: str) -> None:
    assert refused(write(tmp_path, "a", text))[0].startswith(f"{tmp_path / 'a.yaml'}: {what}")


def test_the_first_folder_that_has_a_name_wins_and_odd_files_are_not_presets(tmp_path: Path) -> None:
    first = write(tmp_path / "1", "a", "lora: {r: 1}")
    write(tmp_path / "2", "a", "lora: {r: 2}")
    second = write(tmp_path / "2", "b", "lora: {r: 3}")
    (tmp_path / "2" / "c d.yaml").write_text("")
    (tmp_path / "2" / "d.txt").write_text("")
    (tmp_path / "2" / "e.yaml").mkdir()
    assert find_presets([tmp_path / "1", tmp_path / "none", tmp_path / "2"]) == {"a": first, "b": second}


@settings(max_examples=60)
@given(
    rate=st.floats(1e-12, 1, exclude_min=True),
    epochs=st.floats(0, 1000, exclude_min=True) | st.integers(1, 1000),
    base=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    summary=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    modules=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10), min_size=1, max_size=4
    ),
    limit=st.none() | st.integers(1, 10**9),
    expected=st.dictionaries(
        st.sampled_from(["chartqa", "textvqa", "no", "4e-5"]), st.tuples(st.floats(0, 100), st.floats(0, 100))
    ),
)
def test_a_written_preset_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    rate: float,
    epochs: float,
    base: str,
    summary: str,
    modules: list[str],
    limit: int | None,
    expected: dict[str, tuple[float, float]],
) -> None:
    preset = Preset.model_validate(
        {
            "about": {"summary": summary, "expected": expected},
            "model": {"base": base},
            "lora": {"target_modules": modules},
            "training": {"learning_rate": rate, "epochs": epochs},
            "checkpoints": {"save_total_limit": limit},
            "reasons": {"training.epochs": summary},
        }
    )
    path = tmp_path_factory.mktemp("round") / "trip.yaml"
    path.write_text(dump_preset(preset), newline="")
    assert load_preset(path).preset == preset


def test_a_key_may_be_hinted_at_by_its_initials(tmp_path: Path) -> None:
    path = write(tmp_path, "mine", "training:\n  lr: 1e-4\n")
    assert refused(path) == [f"{path}:2: training.lr: unknown key (did you mean learning_rate?)"]


def test_a_chain_of_presets_has_an_end(tmp_path: Path) -> None:
    for number in range(60):
        write(tmp_path, f"p{number}", f"extends: p{number + 1}\n")
    write(tmp_path, "p60", "training: {epochs: 3}\n")
    assert load_preset(tmp_path / "p11.yaml").preset.training.epochs == 3
    (line,) = refused(tmp_path / "p0.yaml")
    assert "extends: more than 50 presets, each on the next" in line


def test_of_endless_mistakes_the_first_are_explained_and_the_others_counted(tmp_path: Path) -> None:
    keys = "".join(f"  key{number}: 1\n" for number in range(5000))
    lines = refused(write(tmp_path, "many", f"training:\n{keys}"))
    assert len(lines) == 101
    assert lines[-1].endswith("and 4,900 more mistakes")


@pytest.mark.parametrize("pattern", [r"(\w+\.?)+_projj", r"([a-z_]+\.?)+proj", r"((a*)b?)*c", r"(?:x?(?:y+|z))+"])
def test_a_pattern_that_could_take_for_ever_is_refused(tmp_path: Path, pattern: str) -> None:
    (line,) = refused(write(tmp_path, "mine", f"lora: {{target_pattern: '{pattern}'}}\n"))
    assert "lora.target_pattern can repeat the same in many ways" in line


@pytest.mark.parametrize("pattern", [r".*\.(q|v)_proj", r"(.*\.)?layers\.(\d+)\..*_proj", r"(?:[a-z]{1,9}\.)+q_proj"])
def test_other_patterns_are_taken(tmp_path: Path, pattern: str) -> None:
    path = write(tmp_path, "mine", f"lora: {{target_pattern: '{pattern}'}}\n")
    assert load_preset(path).preset.lora.target_pattern == pattern
