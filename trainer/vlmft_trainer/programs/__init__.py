"""Programs beside the training: evals, answers, merged models, looks at data. The console starts each as a process."""

from collections.abc import Callable
from typing import Any

Say = Callable[[str, Any], None]
"""Answers the console: a name and a value that JSON knows. Only rank 0 is heard."""
