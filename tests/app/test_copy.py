"""What goes to the clipboard, and the link to a run's folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.app.looking import until, until_shown
from tests.in_terminal import terminal
from tests.run_folders import ended_run
from vlmft_console.app.app import VlmftConsole
from vlmft_console.sanitize import link_to

ODD = "a b\x1b]0;x\x07\u202e%é"


async def test_the_path_of_a_run_is_copied_from_the_list_and_from_its_own_screen(machine: Path) -> None:
    run = ended_run(machine / "outputs", "good-lr3e5")
    async with VlmftConsole().run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "good-lr3e5")
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == str(run.path))
        await until_shown(pilot, "sent to the clipboard")
        pilot.app.copy_to_clipboard("other")
        await pilot.press("enter")
        await until_shown(pilot, "Gradient norm")
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == str(run.path))


async def test_with_the_crosshair_on_it_is_what_the_crosshair_reads(machine: Path) -> None:
    run = ended_run(machine / "outputs", "good-lr3e5")
    async with VlmftConsole(run.path).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "finished")
        await pilot.press("1", "c", "y")
        await until(pilot, lambda: pilot.app.clipboard)
        assert pilot.app.clipboard.startswith("Loss  step 20  train 0.1000")


async def test_a_copied_path_cannot_steer_the_terminal_it_is_pasted_into(machine: Path) -> None:
    ended_run(machine / "outputs", ODD)
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "✓ finished")
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard)
        assert pilot.app.clipboard.isprintable()


def test_the_folder_of_a_run_is_a_link_that_its_name_cannot_break(tmp_path: Path) -> None:
    run = ended_run(tmp_path / "outputs", ODD)
    link = link_to(run.path)
    assert set(link) <= set(map(chr, range(0x21, 0x7F)))
    with terminal(tmp_path, "--notify", "none", size=(120, 40)) as console:
        console.wait_for(f";{link}\x1b\\".encode())


@pytest.mark.parametrize("shown", [True, False])
def test_status_links_the_folder_where_a_terminal_shows_it(tmp_path: Path, shown: bool) -> None:
    run = ended_run(tmp_path, "good")
    command = f"{Path(sys.executable).with_name('vlmft')} status '{run.path}'" + ("" if shown else " | cat")
    with terminal(tmp_path, "-c", command, size=(200, 24), program=("/bin/sh",)) as shell:
        shell.wait_for(b"train loss")
        assert (f";{link_to(run.path)}\x1b\\".encode() in shell.written) is shown
        assert os.fsencode(run.path) in shell.written
