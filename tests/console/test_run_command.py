"""`vlmft run` before anything starts: mistakes are one line, exit status 2, and nothing is written."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import vlmft


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["training.learning_rate=nan"], "--set training.learning_rate: must be a number, not 'nan'"),
        (["training.learning_rate=-1"], "--set training.learning_rate: must be above 0"),
        (["training.epochs=0"], "--set training.epochs: must be above 0"),
        (["training.lr=1"], "training.lr: unknown key (did you mean learning_rate?)"),
        (["model.base=./nope"], "model.base: nope is not a folder"),
        (["lora.target_modules=[foo]"], "lora.target_modules: 'foo' matches no layer"),
        (["hardware.device=cuda"], "hardware.gpus: 2 asked for, 0 found on this machine"),
        (["training.effective_batch=33"], "training.effective_batch 33 is not a multiple"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path: Path, changes: list[str], message: str) -> None:
    done = vlmft("run", "demo", *(f"--set={change}" for change in changes), folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_bad_run_name_is_refused(tmp_path: Path) -> None:
    done = vlmft("run", "demo", "--run-name=../up", folder=tmp_path)
    assert done.returncode == 2
    assert "'../up' cannot name a run" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_taken_run_name_is_refused_and_the_run_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / "outputs" / "mine"
    taken.mkdir(parents=True)
    (taken / "precious").touch()
    done = vlmft("run", "demo", "--run-name=mine", folder=tmp_path)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (taken / "precious").exists()


def test_a_dry_run_prints_the_exact_command_and_writes_nothing(tmp_path: Path) -> None:
    done = vlmft("run", "demo", "--dry-run", "--run-name=x", folder=tmp_path)
    assert done.returncode == 0
    words = shlex.split(done.stdout)
    assert "DS_ACCELERATOR=cpu" in words
    assert [word for word in words if word.endswith("/deepspeed")]
    assert words[words.index("--module") + 1] == "vlmft_trainer.train_vlm_sft"
    assert f"--output_dir={tmp_path / 'outputs' / 'x'}" in words
    assert not list(tmp_path.iterdir())


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys\nfrom vlmft_console.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(sys.modules.keys() & {'torch', 'transformers', 'numpy', 'pydantic', 'rich.table', 'orjson'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Commands:" in done.stdout


def test_the_core_loads_no_torch() -> None:
    code = (
        "import sys, pkgutil, importlib, vlmft_core\n"
        "names = [module.name for module in pkgutil.walk_packages(vlmft_core.__path__, 'vlmft_core.')]\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names) > 30, sys.modules.keys() & {'torch', 'transformers', 'numpy', 'textual'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"


@pytest.mark.train
def test_data_that_cannot_be_used_is_said_and_the_run_folder_is_gone(tmp_path: Path) -> None:
    done = vlmft(
        "run",
        "demo",
        "--set=hardware.gpus=1",
        "--set",
        "data.sources=[{task: chartqa, path: ./missing}]",
        folder=tmp_path,
    )
    assert done.returncode == 2
    assert "./missing: no such folder" in done.stderr
    assert not list((tmp_path / "outputs").iterdir())


@pytest.mark.train
def test_broken_images_over_the_limit_stop_the_run_before_it_starts(tmp_path: Path) -> None:
    from pyarrow import parquet

    from vlmft_trainer.demo.dataset import write

    write("chartqa", tmp_path / "charts", samples=8, seed=1)
    file = tmp_path / "charts" / "data" / "train-00000-of-00001.parquet"
    table = parquet.read_table(file)
    rows = table.to_pylist()
    rows[3]["image"]["bytes"] = b"not an image"
    parquet.write_table(table.from_pylist(rows, table.schema), file)
    done = vlmft(
        "run",
        "demo",
        "--set=hardware.gpus=1",
        "--set",
        "data.sources=[{task: chartqa, path: ./charts}]",
        folder=tmp_path,
    )
    assert done.returncode == 2
    assert "charts, split train, row 3: no image in a format that is read" in done.stderr
    assert "is over data.max_bad 1.0 %" in done.stderr
    assert not list((tmp_path / "outputs").iterdir())
