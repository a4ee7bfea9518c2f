"""Home folders in paths as people type them: `~` and `~user`."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with its home folder; as it is where there is no such user, so that it is no file or folder then."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises RuntimeError there
