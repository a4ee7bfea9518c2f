"""Line sources: which rank, worker or host printed a line, so that what all of them print counts once."""

from __future__ import annotations

import re
from typing import Final

_PREFIX = re.compile(
    r"\s*(?:\[(?P<rank>(?:rank|default|Rank )\d{1,5})\]:?|\[(?P<number>\d{1,5})\]"
    r"(?::|(?=.*(?i:(?:step|epoch|iter|iteration|batch)s?\b[\s:=#\[]*\d|\d/\d)))"
    r"|(?P<worker>\([A-Za-z]\w* (?:pid|rank)=\d+[^()]*\))"
    r"|(?P<pm2>\d{1,4}\|[\w.-]{1,40}\s*\|)(?=\s)|(?P<mpi>\[\d+,\d+\]<std(?:out|err)>):|(?P<task>\d{1,4}):(?=\s)"
    r"|(?P<host>(?:\d{1,3}\.){3}\d{1,3}|[a-z][a-z0-9.-]{0,62}-\d{1,5}):(?=\s))\s*"
)
_WITHIN = re.compile(r"\brank\s*[=:]?\s*(\d{1,5})\b", re.IGNORECASE)
_SILENT: Final = 200
"""Records of others after which a source that says nothing more is given up: it was restarted under another name."""


class Sources:
    """Of several sources that tell of the same training the first counts."""

    def __init__(self) -> None:
        self._leader = ""
        self._others = 0

    def split(self, line: str) -> tuple[str, str]:
        """Who printed a line, "" where it does not say, and the line without that."""
        source = ""
        if found := _PREFIX.match(line):
            source, line = found[found.lastgroup or 0], line[found.end() :]
        if "ank" in line and (within := _WITHIN.search(line)):
            source = within[1]
            line = line[: within.start()] + line[within.end() :]
        return source, line

    def counts(self, source: str) -> bool:
        """Whether a record of this source counts."""
        if not source or source == self._leader:
            self._others = 0
            return True
        self._others += 1
        if self._leader and self._others <= _SILENT:
            return False
        self._leader, self._others = source, 0
        return True
