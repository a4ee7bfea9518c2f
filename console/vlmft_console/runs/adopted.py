"""The processes of a run whose supervisor was killed, watched by another supervisor that is not their ancestor."""

from __future__ import annotations

from typing import ClassVar

from vlmft_console.runs import processes
from vlmft_console.runs.family import Family
from vlmft_console.runs.processes import Seen


class AdoptedFamily(Family):
    """Known by identity: the launcher and ranks that the first supervisor wrote down, and what is below them.

    A rank still tells how it died when its launcher has not reaped it yet. How the launcher ends, nobody tells.
    """

    adopted: ClassVar[bool] = True

    @property
    def over(self) -> bool:
        """Ranks go on without their launcher, and are watched one by one, so its death alone is not the end."""
        return not self.launcher.alive and not self.living_ranks()

    def _members(self) -> list[Seen]:
        # What was seen once is kept: below init, where orphans go, nothing tells them from the processes of others.
        known = [who for who in (self.launcher, *self.ranks.values(), *self._others) if who.alive]
        looks = [processes.look(who.pid) for who in known]
        members = {seen.identity: seen for seen in looks if seen is not None and seen.identity in known}
        for seen in processes.descendants(*(identity.pid for identity in members)):
            members.setdefault(seen.identity, seen)
        return list(members.values())
