"""Line log: text in which a training tells its figures line by line, in whatever words, in bars or in tables.

What one line says is told by `line_entry`; here it is told what kind of line it is, and which rank printed it.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from typing import Final

from vlmft_console.history.importers.entries.languages import decoded, is_foreign
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.announcements import BROKE, OVER
from vlmft_console.history.importers.printed.catboost_rounds import CatBoostRounds, is_round
from vlmft_console.history.importers.printed.line_entry import Entry
from vlmft_console.history.importers.printed.line_sequence import LineSequence
from vlmft_console.history.importers.printed.line_shapes import Shapes
from vlmft_console.history.importers.printed.line_source import NOBODY, Source, Sources
from vlmft_console.history.importers.printed.line_spelling import LONGEST, clean, spelled
from vlmft_console.history.importers.printed.line_table import LineTable
from vlmft_console.history.importers.printed.metric_cards import MetricCards, is_placed, without_train_loss
from vlmft_console.history.importers.printed.preamble import Preamble
from vlmft_console.history.importers.printed.table_rows import Table, header_of, is_rule
from vlmft_console.history.importers.printed.text_lines import LONGEST_LINE, TextLines
from vlmft_console.history.importers.printed.yolo_bars import YoloBars
from vlmft_core.run_folder.events import Record

_FIGURES = re.compile(rb"loss|cross|xent|perplexity|ppl|bpb|t[er]l:|cost|learn:|verlust|perte|perd[ai]", re.IGNORECASE)
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
        self.else_holds = ""
        self._card_count = 0
        self.other_losses = 0
        """Lines with the place and several figures, losses by their names, of which none is a run's own: a GAN's."""
        self._others = others
        self._translator = translator
        self._lines = TextLines()
        self._sequence = LineSequence(translator, bare=bare)
        self._sources = Sources()
        self._shapes = Shapes()
        self.told_losses = self.told_evals = 0
        """Lines with a loss, and with an eval's: as such, and not as a perplexity."""
        self._above = ""
        """The last line that told no loss."""
        self._block: Entry | None = None
        self._block_lines = 0
        self._table = LineTable()
        self._cards = MetricCards()
        self._preamble = Preamble()
        self._rounds, self._yolo = CatBoostRounds(), YoloBars()
        self._seen = 0  # entries with a loss

    @property
    def entries(self) -> int:
        return self._sequence.entries

    @property
    def placed(self) -> int:
        """Entries with a loss and where it stands, or other figures beside it."""
        return self._sequence.placed

    @property
    def bare_losses(self) -> list[str]:
        """The first losses of lines that held nothing else."""
        return self._sequence.bare_losses

    @property
    def rows(self) -> int:
        """Entries that were rows of a table, or cards."""
        return self._table.rows + self._card_count

    @property
    def rejected(self) -> int:
        """Entries that cannot be read, and the last line as long as it seems to be cut off within a number."""
        return self._sequence.rejected + self._table.rejected + self._lines.torn

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        sequence = self._sequence
        for line in self._lines.feed(data):
            entries = sequence.entries
            self._whole(line, records)
            if sequence.entries > entries:
                self._lines.tells(line)
        return records

    def rest(self) -> list[Record]:
        records: list[Record] = []
        line = self._lines.rest()
        if line and (self._table.open or not self._lines.torn):
            self._whole(line, records)
        for whole in self._table.rest():
            self._sequence.take(whole, None, records, row=True)
        self._take_card(self._cards.rest(), records)
        self._end_block(records)
        self._sequence.flush(records)
        if self._sequence.over and self.placed:
            self._sequence.over = False
            records.append(self._translator.end())
        return records

    def _whole(self, line: bytes, records: list[Record]) -> None:
        if self._table.begun and self._table.may_be_row(line) and self._row(line[:LONGEST_LINE], records):
            return
        if self._card(line[:LONGEST_LINE], records):
            return
        before = self._seen
        found = (len(line) < _LONGEST_HEADING and _PLACES.search(line)) or _FIGURES.search(line, 0, LONGEST)
        telling = bool(found) or (self._yolo.begun and b"100%" in line)
        if telling or self._block is not None or (not line.isascii() and _is_foreign(line)):
            self._line(line[:LONGEST_LINE], records, telling=telling)
        if self._seen == before and self._block is None:
            self._preamble.line(line)
            if self._seen and (b"rain" in line or b"final" in line or b"uning" in line):
                self._sequence.over |= OVER.search(line, 0, _LONGEST_HEADING) is not None

    def _row(self, line: bytes, records: list[Record]) -> bool:
        """Whether the line belongs to the table."""
        text, source = clean(decoded(line)), NOBODY
        if not text[:1].isdigit():
            source, text = self._by_source(text)
        is_row, entries = self._table.row(text)
        for entry in entries if not is_row or self._counts(source, records) else ():
            self._sequence.take(entry, None, records, row=True)
        return is_row

    def _by_source(self, text: str) -> tuple[Source, str]:
        """Who printed a line, and what it says."""
        source, text = self._sources.split(text)
        return source, spelled(text) if source.prefix else text

    def _counts(self, source: Source, records: list[Record]) -> bool:
        """Whether what this source printed counts; of the first that does not a note."""
        told, counts = self._sources.aside, self._sources.counts(source)
        if self._sources.aside and not told:
            records.append(self._translator.note(self._sources.aside))
        return counts

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
            place = {} if is_placed(cells) or self._sequence.epoch is None else {"epoch": repr(self._sequence.epoch)}
            self._sequence.take({**cells, **place}, None, records)

    def _line(self, line: bytes, records: list[Record], *, telling: bool) -> None:
        clock = _CLOCK.search(line, 0, 80)
        source, text = NOBODY, clean(decoded(line))
        if not is_round(text):  # whose number looks as a rank's
            source, text = self._by_source(text)
        for each in self._rounds.lines(self._yolo.line(text, source)):
            self._text(each, source, _time(clock) if clock else None, records, telling=telling)

    def _text(self, text: str, source: Source, t: float | None, records: list[Record], *, telling: bool) -> None:
        """A line that was cleaned."""
        if text.startswith(_SUMMARIES):
            return
        if self._block is not None and (self._goes_on(text) or not (telling or self._block_lines >= _BLOCK)):
            return
        self._end_block(records)
        if found := BROKE.match(text):
            self._sequence.broke(found[1], records)
            return
        entry = self._shapes.entry(text)
        if entry is None:
            if text.startswith("#") and (table := header_of(text.lstrip("# "))):
                self._begin_table(table, records)
            return
        if not entry.losses and not entry.evals:
            if table := header_of(text, self._above):
                self._begin_table(table, records)
            else:
                self._heading(entry, text, records)
            self._above = text
            return
        if not self._counts(source, records):
            return
        if entry.derived and (self.told_evals if entry.evals else self.told_losses):
            entry.without_derived()
            step = {} if entry.place.step is None else {"step": str(entry.place.step)}
            self._sequence.take(entry.values | step, None, records)
            return
        self.told_losses += bool(entry.losses) and not entry.derived
        self.told_evals += bool(entry.evals) and not entry.derived
        self._add(entry, text, t, records)

    def _begin_table(self, table: Table, records: list[Record]) -> None:
        self._sequence.flush(records)
        self._table.begin(table)
        if table.others:
            others = ", ".join(name[:80] for name in table.others[:5])
            records.append(self._translator.note(f"the table holds {len(table.others)} other runs, not read: {others}"))

    def _heading(self, entry: Entry, text: str, records: list[Record]) -> None:
        """A line without a loss: where the lines after it belong, or figures of another kind."""
        place = entry.place
        setting = len(text) >= 200 or _SETTING.fullmatch(text) is not None
        self._sequence.heading(place, setting=setting, on_eval=entry.on_eval if len(text) < 100 else None)
        if entry.on_eval is not None and len(text) < 100:
            self._sequence.on_eval = (entry.on_eval, _STICKY)
        if place.step is None or place.bar or entry.on_eval:
            return
        losses = sum("loss" in name.lower() for name in entry.values)
        heads = len(entry.values) < 3 and len(text) < 200 and losses < 2
        if heads and (text.rstrip().endswith(("]", ":")) or _RULED.match(text)):
            self._block, self._block_lines, self._sequence.on_eval = Entry(place), 0, (False, 0)
            return
        several = len(entry.values) > 1 and (entry.only or losses > 1)
        self.other_losses += several and losses > 0
        if several and (self._others or (self.placed and entry.only)):
            self._sequence.others(entry, records)

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
            self._add(block, "", None, records)

    def _add(self, entry: Entry, text: str, t: float | None, records: list[Record]) -> None:
        """An entry with a loss."""
        self._seen += 1
        self._sequence.started_again |= self._preamble.figures()
        self._sequence.add(entry, text, t, records)


def _is_foreign(line: bytes) -> bool:
    return is_foreign(decoded(line[:LONGEST]))


def _time(found: re.Match[bytes]) -> float | None:
    """Seconds since 1970, as if the log's clock showed UTC."""
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if not (1970 <= year < 3000 and 0 < month < 13 and 0 < day < 32 and hour < 24 and minute < 60 and second < 61):
        return None
    return calendar.timegm((year, month, day, hour, minute, second)) + int(found[7] or 0) / 1000
