"""Line sources: which rank, worker or host printed a line, so that what all of them print counts once."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PREFIX = re.compile(
    r"\s*(?:\[(?P<rank>(?:rank|default|Rank )\d{1,5})\]:?|\[(?P<number>\d{1,5})\]"
    r"(?::|(?=.*(?i:(?:step|epoch|iter|iteration|batch)s?\b[\s:=#\[]*\d|\d/\d)))"
    r"|(?P<worker>\([A-Za-z]\w* (?:pid|rank)=\d+[^()]*\))"
    r"|(?P<pod>\[pod/[\w./-]{1,200}\])(?=\s)"
    r"|(?P<pm2>\d{1,4}\|[\w.-]{1,40}\s*\|)(?=\s)|(?P<mpi>\[\d+,\d+\]<std(?:out|err)>):|(?P<task>\d{1,4}):(?=\s)"
    r"|(?P<host>(?:\d{1,3}\.){3}\d{1,3}|[a-z][a-z0-9.-]{0,62}-\d{1,5}):(?=\s))\s*"
)
_WITHIN = re.compile(r"\brank\s*[=:]?\s*(\d{1,5})\b", re.IGNORECASE)
_SILENT: Final = 200
"""Records of others after which a source that says nothing more is given up: it was restarted under another name."""


class Source(NamedTuple):
    """Who printed a line; "" where it does not say."""

    prefix: str
    """What a launcher put before the line: a rank, a worker, a host."""
    rank: str
    """The number of the rank that the line itself tells."""


NOBODY: Final = Source("", "")


class Sources:
    """Of several sources that tell of the same training the first counts."""

    def __init__(self) -> None:
        self._prefixes, self._ranks = _Leader(), _Leader()

    def split(self, line: str) -> tuple[Source, str]:
        """Who printed a line, and the line without that."""
        prefix = rank = ""
        if found := _PREFIX.match(line):
            prefix, line = found[found.lastgroup or 0], line[found.end() :]
        if "ank" in line and (within := _WITHIN.search(line)):
            rank = within[1]
            line = line[: within.start()] + line[within.end() :]
        return (Source(prefix, rank) if prefix or rank else NOBODY), line

    def counts(self, source: Source) -> bool:
        """Whether a record of this source counts."""
        return source is NOBODY or (self._prefixes.counts(source.prefix) and self._ranks.counts(source.rank))


class _Leader:
    """The one that counts."""

    def __init__(self) -> None:
        self._name = ""
        self._others = 0

    def counts(self, name: str) -> bool:
        if not name or name == self._name:
            self._others = 0
            return True
        self._others += 1
        if self._name and self._others <= _SILENT:
            return False
        self._name, self._others = name, 0
        return True
