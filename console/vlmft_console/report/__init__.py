"""Reports of a run: one HTML file, or Markdown, JSON, CSV; and runs side by side."""

from typing import Final

COMPARED: Final = range(2, 9)
"""How many runs can be compared."""
