"""`vlmft-console`: the app."""

from __future__ import annotations


def main() -> None:
    """Entry point of `vlmft-console`."""
