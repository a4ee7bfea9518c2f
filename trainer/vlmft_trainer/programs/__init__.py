"""Programs beside the training: evaluate, merge, predict, inspect data. The console starts each as a process."""

from collections.abc import Callable
from typing import Any

Say = Callable[[str, Any], None]
"""Answers the console: a name and a value that JSON knows. Only rank 0 is heard."""
