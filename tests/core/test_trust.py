"""Trust: another person's files, and files that others may change, are refused."""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import nullcontext
from pathlib import Path

import pytest

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.trust import check_own

ROOT = os.geteuid() == 0
SOMEBODY = 54321


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    (made / "checkpoint-5" / "state").mkdir(parents=True)
    (made / "checkpoint-5" / "state" / "optimizer.pt").touch()
    for path in (made, *made.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return made


def test_what_is_ours_and_only_read_by_others_is_trusted(folder: Path) -> None:
    (folder / "linked").symlink_to(folder)
    (folder / "to_nothing").symlink_to(folder / "gone")
    check_own(folder)


@pytest.mark.parametrize("name", [".", "checkpoint-5", "checkpoint-5/state/optimizer.pt"])
def test_what_everybody_may_change_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).chmod(0o707)
    with pytest.raises(VlmftError, match=rf"{(folder / name).resolve()} can be changed by others \(mode 707\)"):
        check_own(folder)


@pytest.mark.skipif(not ROOT, reason="needs another user")
@pytest.mark.parametrize("name", [".", "checkpoint-5", "checkpoint-5/state/optimizer.pt"])
def test_what_belongs_to_somebody_else_is_refused_by_name(folder: Path, name: str) -> None:
    os.chown(folder / name, SOMEBODY, -1)
    with pytest.raises(VlmftError, match=f"{(folder / name).resolve()} belongs to user {SOMEBODY}"):
        check_own(folder)


@pytest.mark.skipif(not ROOT, reason="needs another group")
def test_what_a_group_may_change_is_refused_unless_the_group_is_its_owners_alone(folder: Path) -> None:
    file = folder / "checkpoint-5" / "state" / "optimizer.pt"
    file.chmod(0o664)
    check_own(folder)
    os.chown(file, -1, SOMEBODY)
    with pytest.raises(VlmftError, match="can be changed by others"):
        check_own(folder)


@pytest.mark.parametrize(
    ("members", "refused"), [([], False), (["{me}"], False), (["eve"], True), (["{me}", "eve"], True)]
)
def test_a_group_of_ones_own_name_with_another_member_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, members: list[str], refused: bool
) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    group = grp.struct_group((me, "x", os.getegid(), [name.format(me=me) for name in members]))
    monkeypatch.setattr("vlmft_core.run_folder.trust.grp.getgrgid", lambda number: group)
    (folder / "checkpoint-5").chmod(0o775)
    with pytest.raises(VlmftError, match="can be changed by others") if refused else nullcontext():
        check_own(folder)


@pytest.mark.skipif(not ROOT, reason="needs another user")
@pytest.mark.parametrize("owned", ["link", "target"])
def test_a_link_is_as_strange_as_what_it_leads_to(folder: Path, tmp_path: Path, owned: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "optimizer.pt").touch()
    link = folder / "checkpoint-9"
    link.symlink_to(elsewhere)
    check_own(folder)
    os.chown(link if owned == "link" else elsewhere / "optimizer.pt", SOMEBODY, -1, follow_symlinks=False)
    with pytest.raises(VlmftError, match=f"checkpoint-9.* belongs to user {SOMEBODY}"):
        check_own(folder)
