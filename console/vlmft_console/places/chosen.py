"""Chosen place: what a person says of where a run shall train, by options or in a form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlmft_console.places.hostfile import parse_hosts
from vlmft_console.places.place import Hosts, Place, Slurm
from vlmft_console.places.slurm_options import check_options, parse_options
from vlmft_core.errors import VlmftError

HERE = "here"


def place_of(text: str) -> Place | None:
    """The place that one line means: `here`, a name of places.yaml, hosts (`n1:8,n2:8`) or the path of a hostfile, or
    options of Slurm (`nodes=2,gpus-per-node=8`).

    Raises:
        VlmftError: as `chosen_place`.
    """
    text = text.strip()
    if text.lower() in ("", HERE):
        return None
    if "=" in text.partition("/")[0]:
        return chosen_place(slurm=[text])
    if ":" in text or "/" in text:
        return chosen_place(hosts=text)
    return chosen_place(text)


def chosen_place(on: str | None = None, slurm: Sequence[str] = (), hosts: str | None = None) -> Place | None:
    """The place that is meant; None for here.

    Args:
        on: the name of one in places.yaml.
        slurm: options of sbatch; with `on` they go before those of the file.
        hosts: hosts with their ranks, or a hostfile.

    Raises:
        VlmftError: there is no such place, an option cannot be used, or several places are meant.
    """
    if hosts is not None and (slurm or on is not None):
        raise VlmftError("--hosts is a place, and so are --slurm and --on", "give one of them")
    if hosts is not None:
        return Hosts(parse_hosts(hosts))
    options = parse_options(slurm)
    check_options(options)
    if on is None:
        return Slurm(options) if options else None
    from vlmft_console.places.places_file import find_place  # reads YAML, which a run from here does not need

    place = find_place(on)
    if isinstance(place, Slurm):
        both = {**place.options, **options}
        check_options(both, f"--on {on}")
        return replace(place, options=both)
    if options:
        raise VlmftError(f"--slurm: {on} is no place of Slurm's", "leave it out")
    return place
