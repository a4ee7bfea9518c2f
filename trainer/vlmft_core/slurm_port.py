"""Slurm port: where rank 0 of a job listens, known to all its tasks without a word."""

from __future__ import annotations

from typing import Final

PORTS: Final = range(20_000, 30_000)
"""Jobs that share a host do not meet: each has one of these by its number."""


def port_of_job(job: str) -> int:
    """The port of the job of that number.

    Raises:
        ValueError: it is no number.
    """
    return PORTS[int(job) % len(PORTS)]
