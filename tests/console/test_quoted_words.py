"""Words on a line, some of which hold spaces: what is written of them is read as the same ones."""

from __future__ import annotations

from vlmft_console.runs.quoted_words import quoted, quoted_words


def test_names_with_spaces_of_any_kind_are_the_same_after_they_were_edited() -> None:
    names = ["loss", "eval acc", "train\u00a0loss", "tab\there"]
    assert quoted_words(quoted(names)) == names
