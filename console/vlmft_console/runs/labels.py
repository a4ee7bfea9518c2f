"""Labels: what a person says of a run, tags and a note, kept in its folder, so that they travel with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vlmft_console.errors import RunFolderError
from vlmft_console.runs.locks import one_at_a_time
from vlmft_core.durable import as_json, delete, read_json, write_whole
from vlmft_core.run_folder.layout import RunLayout

TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,31}")
MOST_TAGS: Final = 16
LONGEST_NOTE: Final = 500
"""Characters."""


@dataclass(frozen=True)
class Labels:
    """One line each. Foreign text, once a folder came from elsewhere: not to be shown as it is."""

    tags: tuple[str, ...] = ()
    note: str = ""
    problem: str = ""
    """What is the matter where they stand and cannot be understood; both others are empty then."""

    def __str__(self) -> str:
        """All of it on one line, such as `#sweep #lr3e5 the one with the old data`."""
        return " ".join(filter(None, [*(f"#{tag}" for tag in self.tags), self.note, self.problem]))

    @classmethod
    def of(cls, folder: RunLayout) -> Labels:
        """Those of a run; none where nobody gave it any."""
        file = folder.labels_file
        value = read_json(file)
        if value is None:
            try:
                file.lstat()
            except OSError:
                return cls()
            return cls(problem=f"{file.name} cannot be read")
        tags, note = value.get("tags", []), value.get("note", "")
        if not _are_tags(tags) or not isinstance(note, str) or len(note) > LONGEST_NOTE:
            return cls(problem=f"{file.name} holds something else than tags and a note")
        return cls(tuple(tags), " ".join(note.split()))

    def keep(self, folder: RunLayout) -> None:
        """Write them down, in place of those before.

        Raises:
            OSError: the folder cannot be written; what was there is still there.
        """
        if self.tags or self.note:
            write_whole(folder.labels_file, as_json({"tags": list(self.tags), "note": self.note}))
        else:
            delete(folder.labels_file)


def change_tags(folder: RunLayout, tags: Sequence[str], *, remove: bool = False) -> Labels:
    """Give a run tags, or take them from it.

    Raises:
        RunFolderError: what cannot be a tag, too many, one to take away that is not there, or broken labels.
        OSError: as `Labels.keep`.
    """
    with one_at_a_time(folder.path):
        labels = understood_labels(folder)
        if remove:
            if lacking := [tag for tag in tags if tag not in labels.tags]:
                has = f"it has {', '.join(labels.tags)}" if labels.tags else "it has none"
                raise RunFolderError(f"{folder.name} has no tag {lacking[0]!r}", has)
            changed = tuple(tag for tag in labels.tags if tag not in tags)
        else:
            if wrong := [tag for tag in tags if not TAG.fullmatch(tag)]:
                allowed = "1 to 32 letters, digits, '.', '_', '/' and '-', the first a letter, a digit or '_'"
                raise RunFolderError(f"{wrong[0]!r} cannot be a tag", f"use {allowed}")
            changed = tuple(dict.fromkeys([*labels.tags, *tags]))
        if len(changed) > MOST_TAGS:
            raise RunFolderError(f"{folder.name} would have {len(changed)} tags", f"{MOST_TAGS} are the most")
        found = Labels(changed, labels.note)
        found.keep(folder)
        return found


def change_note(folder: RunLayout, text: str) -> Labels:
    """Give a run a note in place of the one it has, on one line; an empty one takes it away.

    Raises:
        RunFolderError: it is too long, or there are broken labels.
        OSError: as `Labels.keep`.
    """
    note = " ".join(text.split())
    if len(note) > LONGEST_NOTE:
        raise RunFolderError(f"the note has {len(note):,} characters", f"{LONGEST_NOTE} are the most")
    with one_at_a_time(folder.path):
        found = Labels(understood_labels(folder).tags, note)
        found.keep(folder)
    return found


def understood_labels(folder: RunLayout) -> Labels:
    """Those of a run, for who can do nothing with others.

    Raises:
        RunFolderError: what stands in their place is something else.
    """
    labels = Labels.of(folder)
    if labels.problem:
        raise RunFolderError(f"{folder.path}: {labels.problem}", f"delete {folder.labels_file}")
    return labels


def _are_tags(value: Any) -> bool:
    """Whether they may be shown as tags, whoever wrote them."""
    return (
        isinstance(value, list)
        and len(value) <= MOST_TAGS
        and all(isinstance(tag, str) and len(tag) <= 64 and tag.split() == [tag] for tag in value)
    )
