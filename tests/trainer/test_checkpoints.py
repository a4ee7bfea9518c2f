"""Checkpoints: complete or absent, and the best ones kept."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmft_core.errors import VlmftError
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora
from vlmft_core.run_folder.checkpoints import (
    MARKER,
    Checkpoint,
    going_steps,
    intact,
    kept_steps,
    newest_intact,
    read,
    remove_unusable,
    seal,
)
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.adapter import adapter_state, add_adapter, save_adapter
from vlmft_trainer.model.load import Kernels, load_base
from vlmft_trainer.training.checkpoint_manager import CheckpointManager, take_best, write_adapter
from vlmft_trainer.training.run_log import RunLog


def saved(folder: Path, step: int, content: str = "weights") -> Path:
    path = folder / f"checkpoint-{step}"
    (path / "state").mkdir(parents=True)
    (path / "state" / "optimizer.pt").write_text(content)
    return path


def checkpoints(folder: Path, limit: int | None = None, metric: str = "eval_loss") -> CheckpointManager:
    return CheckpointManager(
        RunLayout(folder), limit, metric, RunLog(EventWriter(folder / "events.jsonl")), {"total_steps": 9}
    )


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def fabricated(step: int, eval_loss: float | None, token_accuracy: float | None = None) -> Checkpoint:
    return Checkpoint(step, eval_loss, token_accuracy, {}, {})


def test_a_sealed_checkpoint_lists_every_file_with_size_and_hash(tmp_path: Path) -> None:
    path = saved(tmp_path, 5)
    assert read(path) is None
    sealed = seal(path, 5, 1.5, 0.25, {"total_steps": 9})
    assert read(path) == sealed
    assert list(sealed.files) == ["state/optimizer.pt"]
    assert sealed.bytes == len("weights")
    assert intact(path, sealed)


@pytest.mark.parametrize("damage", ["missing", "zeroed", "longer"])
def test_damage_after_sealing_is_noticed(tmp_path: Path, damage: str) -> None:
    path = saved(tmp_path, 5)
    sealed = seal(path, 5, 1.5, None, {})
    file = path / "state" / "optimizer.pt"
    if damage == "missing":
        file.unlink()
    else:
        file.write_text("weigh\0\0" if damage == "zeroed" else "weights!")
    assert not intact(path, sealed)


def test_one_damaged_file_of_several_spoils_a_checkpoint(tmp_path: Path) -> None:
    path = saved(tmp_path, 5)
    for name in ("a.txt", "z.txt"):
        (path / name).write_text("whole")
    sealed = seal(path, 5, 1.5, None, {})
    assert list(sealed.files) == ["a.txt", "state/optimizer.pt", "z.txt"]
    for name in sealed.files:
        content = (path / name).read_bytes()
        (path / name).write_bytes(b"\0" * len(content))
        assert not intact(path, sealed)
        (path / name).write_bytes(content)
        assert intact(path, sealed)


def test_every_file_is_on_the_disk_before_the_marker_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = saved(tmp_path, 5), list[tuple[str, bool]]()
    (path / "adapter.bin").write_text("weights")

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, (path / MARKER).exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    seal(path, 5, 1.5, None, {})
    assert ("adapter.bin", False) in synced
    assert ("optimizer.pt", False) in synced
    assert synced[-1] == (path.name, True)


def test_a_checkpoint_without_the_parts_of_another_host_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "world_size", lambda: 3)
    path = saved(tmp_path, 5)
    for rank in (0, 2):
        (path / f"rng_state_{rank}.pth").touch()
        (path / "state" / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt").touch()
    manager = checkpoints(tmp_path)
    with pytest.raises(VlmftError, match="checkpoint-5 is not complete: parts of these ranks are not there: 1"):
        manager.complete(5, None, None)
    (path / "rng_state_1.pth").touch()
    with pytest.raises(VlmftError, match="not there: 1"):
        manager.complete(5, None, None)
    assert read(path) is None
    (path / "state" / "zero_pp_rank_1_mp_rank_00_optim_states.pt").touch()
    manager.complete(5, None, None)
    assert read(path) is not None


def test_the_marker_says_its_version(tmp_path: Path) -> None:
    path = saved(tmp_path, 5)
    seal(path, 5, 1.5, 0.5, {"total_steps": 9})
    content = json.loads((path / MARKER).read_text())
    assert (content["v"], content["step"], content["plan"]) == (1, 5, {"total_steps": 9})


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_who_may_read_the_files_of_a_checkpoint_may_read_its_marker(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        path = saved(tmp_path, 5)
        seal(path, 5, 1.5, None, {})
    finally:
        os.umask(before)
    assert (path / MARKER).stat().st_mode == (path / "state" / "optimizer.pt").stat().st_mode


def test_a_damaged_checkpoint_is_neither_the_best_nor_the_newest(tmp_path: Path) -> None:
    found = checkpoints(tmp_path)
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0)):
        seal(saved(tmp_path, step), step, loss, None, {})
    assert found.best() == read(tmp_path / "checkpoint-2")
    (tmp_path / "checkpoint-2" / "state" / "optimizer.pt").write_text("weigh\0\0")
    assert found.best() == read(tmp_path / "checkpoint-3")
    (tmp_path / "checkpoint-3" / MARKER).unlink()
    assert found.newest() == found.best() == read(tmp_path / "checkpoint-1")


def test_the_best_are_kept_and_always_the_newest() -> None:
    found = [fabricated(1, 3.0), fabricated(2, 1.0), fabricated(3, 2.0), fabricated(4, 9.0)]
    assert kept_steps(found, 2, "eval_loss") == {2, 3, 4}
    assert kept_steps(found, 1, "eval_loss") == {2, 4}
    assert kept_steps(found, None, "eval_loss") == {1, 2, 3, 4}


def test_a_higher_token_accuracy_is_better() -> None:
    found = [fabricated(1, 1.0, 0.9), fabricated(2, 0.5, 0.1), fabricated(3, 0.4, 0.2)]
    assert kept_steps(found, 1, "token_accuracy") == {1, 3}


def test_a_figure_that_is_not_finite_is_never_among_the_best(tmp_path: Path) -> None:
    found = [fabricated(1, 3.0), fabricated(2, float("nan")), fabricated(3, None), fabricated(4, 5.0)]
    assert kept_steps(found, 2, "eval_loss") == {1, 4}
    sealed = seal(saved(tmp_path, 7), 7, float("nan"), float("inf"), {})
    assert (sealed.eval_loss, sealed.token_accuracy) == (None, None)
    assert checkpoints(tmp_path).best() is None


def test_completing_one_drops_the_worst_and_says_so(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, limit=2)
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0)):
        saved(tmp_path, step)
        found.complete(step, loss, None)
    assert [one.step for one in found.all()] == [2, 3]
    assert not (tmp_path / "checkpoint-1").exists()
    last = events(tmp_path)[-1]
    assert {name: last[name] for name in ("step", "eval_loss", "bytes", "kept", "removed")} == {
        "step": 3,
        "eval_loss": 2.0,
        "bytes": len("weights"),
        "kept": [2, 3],
        "removed": [1],
    }


def test_an_incomplete_checkpoint_is_not_counted_and_not_deleted(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    found = checkpoints(tmp_path, limit=1)
    saved(tmp_path, 2)
    found.complete(2, 1.0, None)
    assert [one.step for one in found.all()] == [2]
    assert (tmp_path / "checkpoint-1").exists()


def test_without_room_for_twice_the_last_one_nothing_is_saved_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = checkpoints(tmp_path)
    assert found.has_room()
    seal(saved(tmp_path, 1, "x" * 1000), 1, 1.0, None, {})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1999))
    assert not found.has_room()
    assert "no checkpoint is saved" in events(tmp_path)[-1]["message"]


@pytest.fixture
def model() -> Any:
    base = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    return add_adapter(base, Lora(r=2, alpha=4), seed=1)


def fill(model: Any, value: float) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.fill_(value)


def test_the_adapter_left_behind_loads_with_plain_peft(model: Any, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    fill(model, 0.5)
    write_adapter(model, RunLayout(tmp_path), "a card")
    assert (tmp_path / "adapter" / "README.md").read_text() == "a card"
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(DEMO_BASE)
    assert config["inference_mode"] is True
    base = AutoModelForImageTextToText.from_pretrained(DEMO_BASE)
    loaded = adapter_state(PeftModel.from_pretrained(base, tmp_path / "adapter", is_trainable=True))
    mine = adapter_state(model)
    assert loaded.keys() == mine.keys()
    assert all(torch.equal(loaded[name], mine[name]) for name in mine)


def test_the_adapters_files_are_on_the_disk_before_it_is_in_its_place(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, synced = RunLayout(tmp_path), list[Path]()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    write_adapter(model, run, "a card")
    written = [run.adapter_draft / file.name for file in run.adapter.iterdir()]
    assert sorted(synced[: len(written)]) == sorted(written)
    assert synced[len(written) :] == [run.adapter_draft, tmp_path]


def test_the_best_checkpoints_adapter_is_taken_or_the_newest_if_asked(model: Any, tmp_path: Path) -> None:
    found = checkpoints(tmp_path)
    for step, loss in ((1, 1.0), (2, 2.0)):
        fill(model, float(step))
        save_adapter(model, found.run.checkpoint(step))
        seal(found.run.checkpoint(step), step, loss, None, {})
    for load_best, step in ((True, 1), (False, 2)):
        chosen = take_best(model, found, load_best)
        assert chosen is not None
        assert chosen.step == step
        weights = [weight for name, weight in adapter_state(model).items() if "lora_B" in name]
        assert all(bool((weight == step).all()) for weight in weights)


def test_without_a_checkpoint_the_model_keeps_what_it_has(model: Any, tmp_path: Path) -> None:
    assert take_best(model, checkpoints(tmp_path), True) is None


def test_an_empty_adapter_is_never_saved(model: Any, tmp_path: Path) -> None:
    model.requires_grad_(False)
    with pytest.raises(RuntimeError, match="empty"):
        save_adapter(model, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_before_a_resume_what_is_incomplete_or_newer_is_deleted(tmp_path: Path) -> None:
    for step in (10, 20):
        seal(saved(tmp_path, step), step, 1.0, None, {})
    saved(tmp_path, 15)
    saved(tmp_path, 30)
    assert remove_unusable(RunLayout(tmp_path), 10) == ["checkpoint-15", "checkpoint-20", "checkpoint-30"]
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-10"]


def test_of_a_checkpoint_that_is_a_link_only_the_link_is_deleted(tmp_path: Path) -> None:
    run, disk = tmp_path / "run", tmp_path / "disk"
    for step in (5, 6):
        seal(saved(disk, step), step, 1.5, None, {})
    run.mkdir()
    (run / "checkpoint-5").symlink_to(disk / "checkpoint-5")
    (run / "checkpoint-6").symlink_to(disk / "checkpoint-6")
    assert [one.step for one in checkpoints(run).all()] == [5, 6]
    assert remove_unusable(RunLayout(run), newest=5) == ["checkpoint-6"]
    saved(run, 7)
    checkpoints(run, limit=1).complete(7, 1.0, None)
    assert [one.step for one in checkpoints(run).all()] == [7]
    assert {path.name for path in run.glob("checkpoint-*")} == {"checkpoint-7"}
    for step in (5, 6):
        sealed = read(disk / f"checkpoint-{step}")
        assert sealed is not None
        assert intact(disk / f"checkpoint-{step}", sealed)


def _sealed(**changes: Any) -> bytes:
    """What a marker says, with changes."""
    entry = {"size": 7, "sha256": hashlib.sha256(b"weights").hexdigest()}
    content = {"v": 1, "step": 5, "eval_loss": 1.5, "token_accuracy": None, "plan": {}}
    return json.dumps({**content, "files": {"state/optimizer.pt": entry}, **changes}).encode()


_ENTRY = {"size": 7, "sha256": hashlib.sha256(b"weights").hexdigest()}
TAMPERED = {
    "empty": b"",
    "no JSON": b"complete",
    "a list": b"[]",
    "half": _sealed()[:40],
    "deep": b"[" * 100_000,
    "deep inside": _sealed()[:-1] + b', "plan": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no files": json.dumps({"step": 5, "eval_loss": None, "token_accuracy": None, "plan": {}}).encode(),
    "files a list": _sealed(files=["state/optimizer.pt"]),
    "files null": _sealed(files=None),
    "files a text": _sealed(files="state/optimizer.pt"),
    "files empty": _sealed(files={}),
    "step a text": _sealed(step="5"),
    "step null": _sealed(step=None),
    "step a path": _sealed(step="../x"),
    "step true": _sealed(step=True),
    "step negative": _sealed(step=-5),
    "step another": _sealed(step=6),
    "step huge": _sealed(step=10**400),
    "step endless": b'{"step": ' + b"9" * 5000 + b"}",
    "NUL in a name": _sealed(files={"state/\0": _ENTRY}),
    "half a character in a name": _sealed(files={"state/\ud800": _ENTRY}),
    "name above": _sealed(files={"../checkpoint-5/state/optimizer.pt": _ENTRY}),
    "name absolute": _sealed(files={"/etc/passwd": _ENTRY}),
    "name empty": _sealed(files={"": _ENTRY}),
    "name long": _sealed(files={"x" * 5000: _ENTRY}),
    "entry a text": _sealed(files={"state/optimizer.pt": "x"}),
    "entry null": _sealed(files={"state/optimizer.pt": None}),
    "size a text": _sealed(files={"state/optimizer.pt": {**_ENTRY, "size": "7"}}),
    "size another": _sealed(files={"state/optimizer.pt": {**_ENTRY, "size": 8}}),
    "hash another": _sealed(files={"state/optimizer.pt": {**_ENTRY, "sha256": "0" * 64}}),
    "plan a text": _sealed(plan="x"),
    "loss a text": _sealed(eval_loss="low"),
    "loss missing": _sealed().replace(b"eval_loss", b"evil_loss"),
}


@pytest.mark.parametrize("content", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_marker_that_somebody_changed_is_none(tmp_path: Path, content: bytes) -> None:
    (saved(tmp_path, 5) / MARKER).write_bytes(_sealed())
    assert newest_intact(RunLayout(tmp_path)) is not None
    (tmp_path / "checkpoint-5" / MARKER).write_bytes(content)
    assert newest_intact(RunLayout(tmp_path)) is None
    assert checkpoints(tmp_path).best() is None


def test_a_marker_with_any_other_figure_or_letter_is_none_or_says_the_same(tmp_path: Path) -> None:
    path = saved(tmp_path, 5)
    sealed = seal(path, 5, 1.25, 0.5, {"total_steps": 9, "train_data": "abc"})
    written, chance = (path / MARKER).read_bytes(), random.Random(5)
    refused = 0
    for place in range(len(written)):
        changed = bytearray(written)
        changed[place] ^= 1 << chance.randrange(7)
        (path / MARKER).write_bytes(changed)
        found = read(path)
        refused += found is None
        assert found in (None, sealed), bytes(changed)
    assert refused > 0.9 * len(written)


def test_a_marker_of_an_older_version_has_no_sum_of_itself(tmp_path: Path) -> None:
    path = saved(tmp_path, 5)
    sealed = seal(path, 5, 1.25, 0.5, {})
    content = json.loads((path / MARKER).read_text())
    del content["sha256"]
    (path / MARKER).write_text(json.dumps(content))
    assert read(path) == sealed


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("name", [MARKER, "state/optimizer.pt"])
def test_a_checkpoint_with_a_fifo_or_a_folder_in_place_of_a_file_is_not_complete(
    tmp_path: Path, name: str, put: Callable[[Path], None]
) -> None:
    path = saved(tmp_path, 5)
    seal(path, 5, 1.5, None, {})
    (path / name).unlink()
    put(path / name)
    assert newest_intact(RunLayout(tmp_path)) is None


def test_a_checkpoint_under_another_name_is_none(tmp_path: Path) -> None:
    seal(saved(tmp_path, 5), 5, 1.5, None, {})
    shutil.copytree(tmp_path / "checkpoint-5", tmp_path / "checkpoint-5-backup")
    assert [one.step for one in checkpoints(tmp_path).all()] == [5]


@pytest.mark.parametrize("metric", ["eval_loss", "token_accuracy"])
def test_those_that_go_next_are_those_that_the_next_save_deletes(metric: str) -> None:
    draw = random.Random(3)
    for _ in range(300):
        limit = draw.randint(1, 4)
        kept: list[Checkpoint] = []
        for step in range(1, 12):
            figure = draw.choice([None, *[draw.randint(1, 5) / 10] * 4])
            new = fabricated(step, figure, figure)
            certain, beaten = going_steps(kept, limit, metric)
            keep = kept_steps([*kept, new], limit, metric)
            gone = {one.step for one in kept} - keep
            better = all(new.score(metric) >= one.score(metric) for one in kept if one.step in beaten)
            assert gone == certain | (beaten if better else set())
            kept = [one for one in [*kept, new] if one.step in keep]
