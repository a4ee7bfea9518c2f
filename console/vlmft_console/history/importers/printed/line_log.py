"""Line log: text in which a training tells its figures line by line, in whatever words, in bars or in tables.

What one line says is told by `line_entry`; here the lines are put in order: which epoch they belong to, which rank
prints them, which of them repeat another.
"""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.entries.languages import decoded, is_foreign
from vlmft_console.history.importers.entries.metric_names import EVAL_LOSS, LOSS, known
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.line_entry import Entry
from vlmft_console.history.importers.printed.line_place import Place, StepCounter
from vlmft_console.history.importers.printed.line_shapes import Shapes
from vlmft_console.history.importers.printed.line_source import NOBODY, Source, Sources
from vlmft_console.history.importers.printed.line_spelling import LONGEST, clean, spelled
from vlmft_console.history.importers.printed.line_table import LineTable
from vlmft_console.history.importers.printed.metric_cards import MetricCards, is_placed, without_train_loss
from vlmft_console.history.importers.printed.preamble import Preamble
from vlmft_console.history.importers.printed.table_rows import Table, header_of, is_rule
from vlmft_console.history.importers.printed.text_lines import LONGEST_LINE, TextLines
from vlmft_core.run_folder.events import Record

_FIGURES = re.compile(rb"loss|cross|xent|perplexity|ppl|bpb|t[er]l:|cost|verlust|perte|perd[ai]", re.IGNORECASE)
_PLACES = re.compile(rb"step|epoch|iter|batch|val|eval|test|train", re.IGNORECASE)
"""What a line must hold to be looked at; long ones only for figures."""
_LONGEST_HEADING: Final = 400
"""Bytes of a line that tells where the lines after it belong, or figures without a loss."""
_BLOCK: Final = 300
"""Lines that can belong to one header with a step."""
_STICKY: Final = 12
"""Lines for which a heading such as `Validation:` holds."""
_SETTING = re.compile(r"\s*[\"']?[\w.]+[\"']?\s*(?::|=)\s*\S+,?\s*")
"""A line of a configuration."""
_SUMMARIES: Final = ("wandb: ", "COMET INFO: ")
"""How the lines begin in which trackers tell at the end what was told before."""
_RULED = re.compile(r"\s*(?:[=*#-]{3,}|-+>) ")
"""How a heading such as `===== step 10 =====` begins."""
_ASSIGNED = re.compile(r"\s*\w+ = [-+]?\d+(?:\.\d{0,2})?(?:e[-+]?\d+)?\s*")
"""A line of a program, such as `best_loss = 1e9`."""
_CLOCK = re.compile(rb"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{3}))?")


_EDGES: Final = (b"|", "│".encode(), "┃".encode(), "║".encode())
"""How the rows of a table with a frame begin."""
_INDENT: Final = 40


class LineLog:
    """A `Parser`.

    Args:
        translator: numbers the records.
        bare: whether lines count that hold a loss and nothing else.
        others: whether lines count that hold no loss that a run is judged by, though no other line holds one.
    """

    def __init__(self, translator: Translator, *, bare: bool = False, others: bool = False) -> None:
        self._rejected = 0
        self.entries = 0
        self.else_holds = ""
        self.placed = 0
        """Entries with a loss and where it stands, or other figures beside it."""
        self._card_count = 0
        self.bare_losses: list[str] = []
        """The first losses of lines that held nothing else."""
        self.other_losses = 0
        """Lines with the place and several figures, losses by their names, of which none is a run's own: a GAN's."""
        self._bare = bare
        self._others = others
        self._translator = translator
        self._lines = TextLines()
        self._counter = StepCounter()
        self._sources = Sources()
        self._shapes = Shapes()
        self._epoch: float | None = None
        self._on_eval = (False, 0)  # what the last heading said, and lines for which it holds
        self._step: int | None = None
        self._total: int | None = None
        self.told_losses = self.told_evals = 0
        """Lines with a loss, and with an eval's: as such, and not as a perplexity."""
        self._base: Entry | None = None  # an eval before anything else
        self._stepwise: str | None = None  # what lines without an eval call the train loss
        self._waiting: tuple[Entry, float | None] | None = None
        self._bar: dict[str, str] = {}
        self._bar_evals: dict[str, str] = {}
        self._block: Entry | None = None
        self._block_lines = 0
        self._table = LineTable()
        self._cards = MetricCards()
        self._preamble = Preamble()
        self._seen = 0  # entries with a loss
        self._started_again = False

    @property
    def rows(self) -> int:
        """Entries that were rows of a table, or cards."""
        return self._table.rows + self._card_count

    @property
    def rejected(self) -> int:
        """Entries that cannot be read, and the last line as long as it seems to be cut off within a number."""
        return self._rejected + self._table.rejected + self._lines.torn

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        for line in self._lines.feed(data):
            entries = self.entries
            self._whole(line, records)
            if self.entries > entries:
                self._lines.tells(line)
        return records

    def rest(self) -> list[Record]:
        records: list[Record] = []
        line = self._lines.rest()
        if line and (self._table.open or not self._lines.torn):
            self._whole(line, records)
        for whole in self._table.rest():
            self._take(whole, None, records, row=True)
        self._take_card(self._cards.rest(), records)
        self._end_block(records)
        self._flush(records)
        return records

    def _whole(self, line: bytes, records: list[Record]) -> None:
        if self._table.begun and self._table.may_be_row(line) and self._row(line[:LONGEST_LINE], records):
            return
        if self._card(line[:LONGEST_LINE], records):
            return
        before = self._seen
        telling = (len(line) < _LONGEST_HEADING and _PLACES.search(line)) or _FIGURES.search(line, 0, LONGEST)
        if telling or self._block is not None or (not line.isascii() and _is_foreign(line)):
            self._line(line[:LONGEST_LINE], records, telling=bool(telling))
        if self._seen == before and self._block is None:
            self._preamble.line(line)

    def _row(self, line: bytes, records: list[Record]) -> bool:
        """Whether the line belongs to the table."""
        text, source = clean(decoded(line)), NOBODY
        if not text[:1].isdigit():
            source, text = self._by_source(text)
        is_row, entries = self._table.row(text)
        for entry in entries if not is_row or self._sources.counts(source) else ():
            self._take(entry, None, records, row=True)
        return is_row

    def _by_source(self, text: str) -> tuple[Source, str]:
        """Who printed a line, and what it says."""
        source, text = self._sources.split(text)
        return source, spelled(text) if source.prefix else text

    def _card(self, line: bytes, records: list[Record]) -> bool:
        """Whether the line belongs to a card of metrics."""
        if not line[:_INDENT].lstrip().startswith(_EDGES):
            if self._cards.begun and line and not line.isspace():
                self._take_card(self._cards.rest(), records)
            return False
        text = clean(decoded(line))
        if is_rule(text):
            return False
        is_row, finished = self._cards.row(text)
        self._take_card(finished, records)
        return is_row

    def _take_card(self, cells: Mapping[str, str], records: list[Record]) -> None:
        if cells and self.placed:
            cells = without_train_loss(cells)
        if cells:
            self._card_count += 1
            place = {} if is_placed(cells) or self._epoch is None else {"epoch": repr(self._epoch)}
            self._take({**cells, **place}, None, records)

    def _line(self, line: bytes, records: list[Record], *, telling: bool) -> None:
        source, text = self._by_source(clean(decoded(line)))
        if text.startswith(_SUMMARIES):
            return
        if self._block is not None and (self._goes_on(text) or not (telling or self._block_lines >= _BLOCK)):
            return
        self._end_block(records)
        entry = self._shapes.entry(text)
        if entry is None:
            if text.startswith("#") and (table := header_of(text.lstrip("# "))):
                self._begin_table(table, records)
            return
        if not entry.losses and not entry.evals:
            if table := header_of(text):
                self._begin_table(table, records)
            else:
                self._heading(entry, text, records)
            return
        if not self._sources.counts(source):
            return
        if entry.derived and (self.told_evals if entry.evals else self.told_losses):
            entry.without_derived()
            step = {} if entry.place.step is None else {"step": str(entry.place.step)}
            self._take(entry.values | step, None, records)
            return
        self.told_losses += bool(entry.losses) and not entry.derived
        self.told_evals += bool(entry.evals) and not entry.derived
        clock = _CLOCK.search(line, 0, 80)
        self._sequence(entry, text, _time(clock) if clock else None, records)

    def _begin_table(self, table: Table, records: list[Record]) -> None:
        self._flush(records)
        self._table.begin(table)
        if table.others:
            others = ", ".join(name[:80] for name in table.others[:5])
            records.append(self._translator.note(f"the table holds {len(table.others)} other runs, not read: {others}"))

    def _heading(self, entry: Entry, text: str, records: list[Record]) -> None:
        """A line without a loss: where the lines after it belong, or figures of another kind."""
        place = entry.place
        if place.epoch not in (None, self._epoch):
            self._on_eval = (False, 0)
        if place.epoch is not None and not place.bar and len(text) < 200 and not _SETTING.fullmatch(text):
            self._epoch = place.epoch
        if entry.on_eval is not None and len(text) < 100:
            self._on_eval = (entry.on_eval, _STICKY)
        if place.step is None or place.bar or entry.on_eval:
            return
        losses = sum("loss" in name.lower() for name in entry.values)
        heads = len(entry.values) < 3 and len(text) < 200 and losses < 2
        if heads and (text.rstrip().endswith(("]", ":")) or _RULED.match(text)):
            self._block, self._block_lines, self._on_eval = Entry(place), 0, (False, 0)
            return
        several = len(entry.values) > 1 and (entry.only or losses > 1)
        self.other_losses += several and losses > 0
        if several and (self._others or (self.placed and entry.only)):
            step = self._counter.absolute(place)
            self._take({**entry.values, "step": str(step)}, None, records)

    def _goes_on(self, text: str) -> bool:
        """Whether a line belongs to the block of a header with a step; then it is taken."""
        block = self._block
        if block is None or self._block_lines >= _BLOCK:
            return False
        entry = self._shapes.entry(text)
        if entry is not None and not (entry.values or entry.placed or entry.on_eval):
            return header_of(text) is None  # `Results:`
        if entry is None or not entry.only or entry.placed:
            return False
        if entry.derived and (block.losses or block.evals):
            entry.without_derived()
        if len(entry.values) != 1 + entry.derived:
            return False
        self._block_lines += 1
        block.losses += entry.losses
        block.evals += entry.evals
        block.values.update(entry.values)
        return True

    def _end_block(self, records: list[Record]) -> None:
        block, self._block = self._block, None
        if block is not None and (block.losses or block.evals):
            self._sequence(block, "", None, records)

    def _sequence(self, entry: Entry, text: str, t: float | None, records: list[Record]) -> None:
        """An entry with a loss, in its turn."""
        self._seen += 1
        self._started_again |= self._preamble.figures()
        place = entry.place
        on_eval, lines = self._on_eval
        alone = not entry.placed and len(entry.values) == len(entry.losses) + len(entry.evals)
        if not entry.placed and lines and on_eval and entry.on_eval is None:
            self._make_evals(entry)
        self._on_eval = (on_eval, max(0, lines - 1))
        before = self._waiting[0] if self._waiting else None
        if text.startswith("*") and not entry.placed and entry.losses and before and before.evals and not before.losses:
            # DETR and its kin: the mean over the set comes after its batches.
            before.values[before.evals[0]] = entry.values[entry.losses[0]]
            self._flush(records)
            return
        if alone and not self._counts_alone(entry, text):
            return
        in_eval = bool(entry.on_eval and not entry.losses and place.total and place.total != self._total)
        if place.bar and not in_eval and not self._news(entry):
            return
        if self._waiting is not None and not self._replaces(entry, self._waiting[0], in_eval=in_eval):
            self._flush(records)
        if place.bar or in_eval:
            self._waiting = (entry, t)
            if in_eval:
                place.step = place.total = None
        else:
            self._emit(entry, t, records)

    def _make_evals(self, entry: Entry) -> None:
        """A loss below a heading that tells of an evaluation."""
        for name in entry.losses:
            if "train" not in name.lower() and EVAL_LOSS not in entry.values:
                entry.values[EVAL_LOSS] = entry.values.pop(name)
                entry.evals.append(EVAL_LOSS)
        entry.losses = [name for name in entry.losses if name in entry.values]

    def _counts_alone(self, entry: Entry, text: str) -> bool:
        """Whether a line counts that holds losses and nothing else."""
        if entry.evals and not entry.losses:
            counts = self.placed > 0 or self._epoch is not None or self._bare
            kind = known(entry.evals[0])
            self._base = entry if not counts and kind and not kind.eval_set else None
            return counts
        if not entry.only or _ASSIGNED.fullmatch(text):
            return False
        if entry.losses and len(self.bare_losses) < 10:
            self.bare_losses.append(entry.values[entry.losses[0]])
        return self._bare or self._epoch is not None or bool(entry.evals)

    def _news(self, entry: Entry) -> bool:
        """Whether a bar that was drawn again says something new; an eval loss stays in a bar until the next."""
        values = entry.values
        if values == self._bar and not any(_is_bad(values[name]) for name in entry.losses):
            return False
        self._bar = dict(values)
        for name in entry.evals:
            if self._bar_evals.get(name) == values[name]:
                del values[name]
        self._bar_evals.update({name: values[name] for name in entry.evals if name in values})
        entry.evals = [name for name in entry.evals if name in values]
        return bool(entry.losses or entry.evals)

    def _replaces(self, entry: Entry, before: Entry, *, in_eval: bool) -> bool:
        """Whether an entry tells what the waiting one told, only later."""
        if before.place.bar and not in_eval and entry.place.bar:
            same = entry.place.step == before.place.step and entry.place.epoch == before.place.epoch
            if same and before.evals and not entry.evals:
                entry.values.update({name: before.values[name] for name in before.evals})
                entry.evals = before.evals
            return same
        return in_eval and not before.losses and before.on_eval is True

    def _flush(self, records: list[Record]) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._emit(*waiting, records)

    def _emit(self, entry: Entry, t: float | None, records: list[Record]) -> None:
        place, values = entry.place, entry.values
        if self._started_again and entry.losses:
            self._started_again = False
            if self._goes_back(place):
                self._counter, self._step, self._total, self._epoch = StepCounter(), None, None, None
                records.append(self._translator.begin())
        if place.epoch is None:
            place.epoch = self._epoch
        else:
            self._epoch = place.epoch
        step = None
        if entry.losses or place.step is not None:
            step = self._counter.absolute(place, trains=bool(entry.losses))
        loss = min(entry.losses, key=_rank, default=None)
        if loss and ((step is None and self._step is not None) or (step is not None and step == self._step)):
            # The mean of an epoch among steps, or what another rank prints of the same step.
            if step is not None and not entry.evals:
                return
            values = {(f"epoch {name}" if name in entry.losses else name): value for name, value in values.items()}
            loss = None
        elif loss and entry.evals and self._stepwise not in (None, loss):
            loss = None  # measured again for an eval: the steps have a loss of their own
            values = {(f"eval {name}" if name in entry.losses else name): value for name, value in values.items()}
        elif loss:
            values = {(LOSS if name == loss else name): value for name, value in values.items()}
            self._stepwise = self._stepwise if entry.evals else loss
        if loss and step is not None:
            if self._base is not None:
                self._take({**self._base.values, "step": "0"}, None, records)
            self._base = None
            self._step = step
            self._total = self._total or place.total
        told = dict(values)
        if step is not None:
            told["step"] = str(step)
        if place.epoch is not None:
            told["epoch"] = repr(place.epoch)
        if loss and place.total and not place.in_epoch and not place.bar:
            told["total_steps"] = str(place.total)
        self.placed += (loss is not None or bool(entry.evals)) and len(told) > 1
        self._take(told, t, records)

    def _goes_back(self, place: Place) -> bool:
        """Whether an entry after a program's start is of a training that begins anew: one that was resumed goes on."""
        if place.epoch is not None and self._epoch is not None and place.epoch != self._epoch:
            return place.epoch < self._epoch
        return place.step is None or not self._counter.passed(place.step)

    def _take(self, values: Mapping[str, Any], t: float | None, records: list[Record], *, row: bool = False) -> None:
        try:
            records += self._translator.take(values, t, row=row)
        except ValueError:
            self._rejected += 1
        else:
            self.entries += 1


def _is_foreign(line: bytes) -> bool:
    return is_foreign(decoded(line[:LONGEST]))


def _rank(name: str) -> int:
    found = known(name)
    return found.rank if found else 0


def _is_bad(text: str) -> bool:
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return False


def _time(found: re.Match[bytes]) -> float | None:
    """Seconds since 1970, as if the log's clock showed UTC."""
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if not (1970 <= year < 3000 and 0 < month < 13 and 0 < day < 32 and hour < 24 and minute < 60 and second < 61):
        return None
    return calendar.timegm((year, month, day, hour, minute, second)) + int(found[7] or 0) / 1000
