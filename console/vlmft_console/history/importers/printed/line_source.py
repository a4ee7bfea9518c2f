"""Line sources: which rank, worker or host printed a line, so that what all of them print counts once."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import AnyStr, Final, NamedTuple

from vlmft_console.history.importers.printed.line_spelling import STAMP

_LAUNCHER: Final = (
    r"\s*(?:\[(?P<rank>(?:rank|default|Rank )\d{1,5})\]:?|\[(?P<number>\d{1,5})\]"
    r"(?::|(?=.*(?i:(?:step|epoch|iter|iteration|batch)s?\b[\s:=#\[]*\d|\d/\d)))"
    r"|(?P<worker>\([A-Za-z]\w* (?:pid|rank)=\d++[^()]{0,200}\))"
    r"|(?P<pod>\[pod/[\w./-]{1,200}\])(?=\s)"
    r"|(?P<service>(?!(?i:epoch|step|iter|batch)-)[A-Za-z][\w.-]{0,60}-\d{1,4}) {2,40}\|(?=\s)"
    r"|(?P<pm2>\d{1,4}\|[\w.-]{1,40}\s*\|)(?=\s)|(?P<mpi>\[\d+,\d+\]<std(?:out|err)>):|(?P<task>\d{1,4}):(?=\s)"
    r"|(?P<host>(?:\d{1,3}\.){3}\d{1,3}|[a-z][a-z0-9.-]{0,62}-\d{1,5}):(?=\s))\s*"
)
"""Who printed a line, as torchrun, Ray, kubectl, `docker compose`, pm2, mpirun, srun and pdsh tell it."""
_PREFIX = re.compile(_LAUNCHER)
_HEAD = re.compile(rf"(?:{STAMP})?(?:\x1b\[[\d;]*m)*{_LAUNCHER}".encode())
_CONTAINERS: Final = ("pod", "service")
_RANKS: Final = ("rank", "worker", "mpi")
_WITHIN = re.compile(r"\brank\s*[=:]?\s*(\d{1,5})\b", re.IGNORECASE)
_SILENT: Final = 200
"""Records of others after which a source that says nothing more is given up: it was restarted under another name."""
_ASIDE: Final = "several print the same training: what {} and others print is left aside, that of {} counts"


def prefix_of(line: bytes) -> bytes:
    """What a launcher put before a line, maybe after a time; b"" where it does not say who printed it."""
    found = _prefixes(_HEAD, line)
    return line[: found[-1].end()] if found else b""


def _prefixes(pattern: re.Pattern[AnyStr], line: AnyStr) -> list[re.Match[AnyStr]]:
    """What tells who printed a line: the container, and the rank in it; or one of them; or nothing."""
    if not (found := pattern.match(line)):
        return []
    rank = pattern.match(line, found.end()) if found.lastgroup in _CONTAINERS else None
    return [found, rank] if rank and rank.lastgroup in _RANKS else [found]


class Source(NamedTuple):
    """Who printed a line; "" where it does not say."""

    prefix: str
    """What a launcher put before the line: a rank, a worker, a host, a container."""
    rank: str
    """The rank that the line itself tells, or a launcher in a container."""
    service: str = ""
    """Which service of `docker compose` this is one of: what another one tells is not the same."""


NOBODY: Final = Source("", "")


class Sources:
    """Of several sources that tell of the same training the first counts."""

    def __init__(self) -> None:
        self._prefixes: defaultdict[str, _Leader] = defaultdict(_Leader)
        self._ranks = _Leader()
        self.aside = ""
        """What is said of the first record that did not count; empty where all did."""

    def split(self, line: str) -> tuple[Source, str]:
        """Who printed a line, and the line without that."""
        prefix = rank = service = ""
        if found := _prefixes(_PREFIX, line):
            prefix, *ranks = (each[each.lastgroup or 0] for each in found)
            rank, line = "".join(ranks), line[found[-1].end() :]
            service = (found[0]["service"] or "").rpartition("-")[0]
        if "ank" in line and (within := _WITHIN.search(line)):
            rank = rank or within[1]
            line = line[: within.start()] + line[within.end() :]
        return (Source(prefix, rank, service) if prefix or rank else NOBODY), line

    def counts(self, source: Source) -> bool:
        """Whether a record of this source counts."""
        if source is NOBODY:
            return True
        prefixes = self._prefixes[source.service]
        if not prefixes.counts(source.prefix):
            self.aside = self.aside or _ASIDE.format(source.prefix, prefixes.name)
        elif not self._ranks.counts(source.rank):
            self.aside = self.aside or _ASIDE.format(f"rank {source.rank}", f"rank {self._ranks.name}")
        else:
            return True
        return False


class _Leader:
    """The one that counts."""

    def __init__(self) -> None:
        self.name = ""
        self._others = 0

    def counts(self, name: str) -> bool:
        if not name or name == self.name:
            self._others = 0
            return True
        self._others += 1
        if self.name and self._others <= _SILENT:
            return False
        self.name, self._others = name, 0
        return True
