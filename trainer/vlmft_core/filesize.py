"""File size: bytes as text."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def filesize(size: int) -> str:
    """Bytes with three digits: `4.35 MB`, `132 MB`, `300 kB`; a thousand of a unit are one of the next."""
    power, digits = divmod(len(str(size)) - 1, 3)
    power = min(power, len(_UNITS))
    return f"{size / 1000**power:.{2 - digits}f} {_UNITS[power - 1]}" if power else f"{size} bytes"
