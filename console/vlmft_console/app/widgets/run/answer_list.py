"""Answer list: a row for each eval question: what is right, what the base said, what the adapter says."""

from __future__ import annotations

from collections.abc import Sequence

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec
from vlmft_console.app.widgets.base.row_list import ListRow, RowList
from vlmft_console.history.answer_rows import AnswerRow, first_words, said, worth
from vlmft_core.run_folder.answers import Answer

COLUMNS = (
    ColumnSpec("", 5),
    ColumnSpec("question", 16, stretches=True, widest=72),
    ColumnSpec("truth", 10, rank=2, stretches=True, widest=32),
    ColumnSpec("base", 12, rank=1, stretches=True, widest=40),
    ColumnSpec("now", 12, stretches=True, widest=40),
)
SIGNS = {"right": "✓", "wrong": "✗"}


class AnswerList(RowList):
    """The questions of one eval."""

    def __init__(self) -> None:
        super().__init__(COLUMNS)

    def show_answers(self, rows: Sequence[AnswerRow]) -> None:
        """Show these questions."""
        self.show([ListRow(row.question.key, _cells(row)) for row in rows])


def _cells(row: AnswerRow) -> tuple[Cell, ...]:
    question = row.question
    return (
        Cell(worth(row.judged), role(row.judged)),
        Cell(first_words(question.question)),
        Cell(" | ".join(question.truth)),
        Cell(_signed(row.base), role(row.base)),
        Cell(_signed(row.now), role(row.now)),
    )


def role(answer: Answer | None) -> str:
    """How an answer looks."""
    if answer is None:
        return "dim"
    return "good" if answer.points == 1 else "caution" if answer.points else "stop"


def _signed(answer: Answer | None) -> str:
    told = worth(answer)
    return f"{SIGNS.get(told, told)} {said(answer)}".strip()
