"""Odd rows: the data that a step with an odd loss or gradient trained on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from vlmft_console.history.state import RunState
from vlmft_core.figures import counted
from vlmft_core.health import Finding
from vlmft_core.run_folder.events import Record

NAMED = 6
"""Rows that a line names."""
_LINE = ", line "
"""Stands between a file's name and the number of a line in what names a row."""


def finding_rows(state: RunState, finding: Finding) -> str:
    """The rows of the step at which a finding was raised, in words; empty where the log does not name them."""
    own = (record for record in state.odd_steps if record["step"] == finding.step)
    record = next(own, None)
    return rows_words(record) if record else ""


def other_odd_steps(state: RunState) -> list[Record]:
    """Those at which no finding was raised, the newest last."""
    raised = {finding.step for finding in state.findings}
    return [record for record in state.odd_steps if record["step"] not in raised]


def odd_step_words(record: Record) -> str:
    """What was odd about a step, and its rows."""
    return f"step {record['step']:,}: {record['why']}; {rows_words(record)}"


def rows_words(record: Record) -> str:
    """`rows: a.json, lines 3, 17; b.json, line 5 and 122 more (of its largest micro-batch)`."""
    suspects, rows = texts(record.get("suspects")), texts(record.get("rows"))
    named = suspects or rows
    there = record.get("of")
    total = len(suspects) or (there if type(there) is int else len(rows))
    more = f" and {total - NAMED:,} more" if total > NAMED else ""
    of = f", of {counted(there, 'row')} in the step" if suspects and type(there) is int else ""
    return f"rows: {grouped(named[:NAMED])}{more}{of}" if named else "rows: not named"


def grouped(rows: Sequence[str]) -> str:
    """Rows of one file together: `a.json, lines 3, 17; b.json, line 5`."""
    files: dict[str, list[str]] = {}
    for row in rows:
        file, sign, line = row.rpartition(_LINE)
        files.setdefault(file if sign else row, []).extend([line] if sign else [])
    return "; ".join(
        f"{file}, line{'s' * (len(lines) > 1)} {', '.join(lines)}" if lines else file for file, lines in files.items()
    )


def texts(value: object) -> list[str]:
    """What a record says in a field that holds texts."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
