"""Registry of runs: which there are on this machine, and which one a name means."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from vlmft_console.errors import RunFolderError
from vlmft_console.history.loading import Progress, read_log
from vlmft_console.history.state import RunState
from vlmft_console.paths import OUTPUTS
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus, status_of
from vlmft_core.durable import open_regular, write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.home import expanded
from vlmft_core.run_folder.layout import RunLayout, is_run

_SUFFIX = re.compile(r"\.[A-Za-z]\w*")
"""What makes a name a file's, though a run may have it, too."""
_LONGEST_PATH = 4096
"""Bytes, of any path on Linux."""


def remember(root: Path) -> None:
    """Keep in mind that runs are made under `root`, so that they are found from any folder."""
    path = str(root.absolute())
    known = _memory()
    known.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(known / hashlib.sha256(os.fsencode(path)).hexdigest()[:16], path)


def roots() -> list[Path]:
    """Folders that may hold runs: `outputs` here, then every remembered one that is still there."""
    found = [OUTPUTS]
    memory = _memory()
    if memory.is_dir():
        entries = (entry for entry in memory.iterdir() if not entry.name.startswith("."))
        found += sorted(path for entry in entries if (path := _remembered(entry)))
    unique: dict[Path, Path] = {}
    for root in found:
        with contextlib.suppress(OSError):  # a folder above it is closed to us
            if root.is_dir():
                unique.setdefault(root.resolve(), root)
    return list(unique.values())


def _remembered(entry: Path) -> Path | None:
    """What a file of the memory says; None where it is no such file."""
    with contextlib.suppress(OSError, VlmftError):
        descriptor = open_regular(entry)
        try:
            name = os.read(descriptor, _LONGEST_PATH)
        finally:
            os.close(descriptor)
        return Path(os.fsdecode(name)) if name and b"\0" not in name else None
    return None


def all_runs() -> list[RunFolder]:
    """Every run under the known roots, newest first."""
    times = dict(entry for root in roots() for entry in _runs_under(root))
    return sorted(times, key=times.__getitem__, reverse=True)


def _runs_under(root: Path) -> Iterator[tuple[RunFolder, float]]:
    """The runs and when they were made (unix time). What is deleted meanwhile, or closed to us, is left out."""
    try:
        paths = list(root.iterdir())
    except OSError:
        return
    for path in paths:
        with contextlib.suppress(OSError):
            if is_run(path) and not path.is_symlink():
                yield RunFolder(path), RunLayout(path).run_file.stat().st_mtime


def find(name: str) -> RunFolder:
    """The run of that name under the known roots, one in `outputs` here before others, or the run folder at that path.

    Raises:
        RunFolderError: there is none, or several.
    """
    if not name:
        raise RunFolderError("no run is called ''", "`vlmft runs` lists them")
    path = expanded(name)
    if os.sep in name or is_run(path):
        if not is_run(path):
            _refuse_closed([path])
            no_run = f"is not a run folder: it has no {RunLayout(path).run_file.name}"
            raise RunFolderError(f"{name} {no_run if path.exists() else 'does not exist'}")
        return RunFolder(path)
    runs = all_runs()
    matches = [folder for folder in runs if folder.name == name]
    here = [folder for folder in matches if folder.path.parent == OUTPUTS]
    if len(matches) == 1 or len(here) == 1:
        return (here or matches)[0]
    if matches:
        raise RunFolderError(
            f"several runs are called {name}: {', '.join(str(run.path) for run in matches)}", "give the path"
        )
    _refuse_closed([root / name for root in roots()])
    if path.is_file():
        raise RunFolderError(f"{name} is a file and no run", f"`vlmft check {name}` reads a log of any kind")
    near = difflib.get_close_matches(name, {folder.name for folder in runs}, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`vlmft runs` lists them"
    if _SUFFIX.fullmatch(path.suffix):
        raise RunFolderError(f"there is no file {name!r}, and no run is called so", hint)
    raise RunFolderError(f"no run is called {name!r}", hint)


def closed_folders() -> list[Path]:
    """Folders beside the runs, into which we may not look: of other people, most likely, and runs perhaps."""
    found = []
    for root in roots():
        with contextlib.suppress(OSError):
            found += sorted(path for path in root.iterdir() if _is_closed(path))
    return found


def _refuse_closed(paths: list[Path]) -> None:
    if closed := next(filter(_is_closed, paths), None):
        raise RunFolderError(f"{closed} is closed to you", "its owner can open it")


def _is_closed(path: Path) -> bool:
    try:
        RunLayout(path).run_file.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def read_run(
    folder: RunFolder, tell: Callable[[Progress], object] = lambda progress: None
) -> tuple[RunState, RunStatus]:
    """The run's events so far, reduced, and the state it is in.

    Args:
        folder: the run folder.
        tell: is told now and then how far the reading is.

    Raises:
        VlmftError: something in the folder is there and cannot be read.
    """
    run = read_log(folder.path, tell=tell).state
    try:
        return run, status_of(folder, run.pulse)
    except OSError as error:
        raise RunFolderError(f"{folder.path} cannot be read: {error.strerror}") from None


def _memory() -> Path:
    return Path(platformdirs.user_state_dir("vlmft")) / "roots"
