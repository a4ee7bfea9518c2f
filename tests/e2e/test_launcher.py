"""DeepSpeed's launcher: nothing that lies in the working folder or at home gets into the ranks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.training_command import training_command
from vlmft_core.preset import Hardware, Preset


@pytest.mark.train
def test_no_file_of_variables_and_no_library_here_reaches_the_ranks(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    for folder in (here, home):
        folder.mkdir()
        for name in (".deepspeed_env", ".env"):
            (folder / name).write_text("POISON=1\nPATH=/poison\n")
    for name in ("sitecustomize", "usercustomize", "json", "torch", "deepspeed"):
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({name!r})\n")
    (here / "hostfile").write_text("poison slots=1\n")
    (here / "pyproject.toml").write_text("[")
    (here / "ds_config.json").write_text("[")
    command = training_command(Preset(hardware=Hardware(gpus=2, device="cpu")), RunFolder(tmp_path / "run"), 29871)
    launcher = command.argv[: command.argv.index("--module")]
    done = subprocess.run(
        [*launcher, "--no_python", "--no_local_rank", "/usr/bin/env"],
        cwd=here,
        env={**os.environ, **command.env, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.count("\nWORLD_SIZE=2\n") == 2
    assert "POISON" not in done.stdout
    assert "/poison" not in done.stdout
    assert not (tmp_path / "executed").exists()
