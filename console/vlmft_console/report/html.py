"""HTML report: one file, charts drawn in, nothing fetched from anywhere, no scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from vlmft_console.charts.run_charts import DEFAULT_CHARTS
from vlmft_console.charts.smoothing import smooth
from vlmft_console.charts.styles import RUNS_ON_DARK, RUNS_ON_LIGHT
from vlmft_console.figures import accuracy
from vlmft_console.history.state import RunState
from vlmft_console.presets.table import value_text
from vlmft_console.report.answers import answers_html
from vlmft_console.report.svg import legend, svg
from vlmft_console.report.text import EPOCH_HEADINGS, epoch_cells, headlines, preset_values, spelled_out
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import figure, filesize
from vlmft_core.run_folder.answers import Answers

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #6b7685; --paper: #fff; --line: #dde2e8; --old: #8591a0;
  --raw: #6f92bb; --smooth: #0b6bcb; --points: #b35c00; --stop: #c62828; --caution: #8a6d00; --best: #1b7f3b; }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe5ec; --dim: #8c98a6; --paper: #14181d; --line: #2b333c;
  --old: #66717e; --raw: #587aa0; --smooth: #5db1ff; --points: #ffb454; --stop: #ff6b6b; --caution: #e3c04b;
  --best: #5fd38a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 780px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
td, th { text-align: left; padding: .15rem 1rem .15rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 600; }
td, th { white-space: nowrap; }
.words td:not(:first-child) { white-space: normal; overflow-wrap: anywhere; }
.words td.figure { white-space: nowrap; }
figure { margin: 1.5rem 0; } figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; }
figcaption b.title { font-size: 1rem; color: var(--ink); }
svg { width: 100%; height: auto; overflow: visible; }
@media (max-width: 600px) { body { margin: 1rem auto; } td, th { padding-right: .6rem; }
  .words td { white-space: normal; } svg .x { transform: translateY(6px); }
  svg .unit { transform: translateY(20px); }
  svg .tick, svg .mark, svg .off-scale { font-size: 21px; } }
.tick { font-size: 11px; fill: var(--dim); } .grid { stroke: var(--line); } .mark, .off-scale { font-size: 12px; }
.ref { stroke: var(--dim); stroke-dasharray: 2 4; }
polyline { fill: none; stroke-width: 1.6; stroke: var(--smooth); }
polyline.raw { stroke: var(--raw); stroke-width: 1; } polyline.points { stroke: var(--points); }
polyline.planned { stroke: var(--dim); stroke-dasharray: 4 4; } polyline.old { stroke: var(--old); }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 0 1.5rem; }
circle { fill: var(--smooth); } circle.points { fill: var(--points); } circle.raw { fill: var(--raw); }
span.raw { color: var(--raw); } span.smooth, span.line { color: var(--smooth); } span.points { color: var(--points); }
.stop { color: var(--stop); fill: var(--stop); } .caution { color: var(--caution); fill: var(--caution); }
.best { color: var(--best); fill: var(--best); } .off-scale { fill: var(--stop); } .planned, .old { color: var(--dim); }
line.stop { stroke: var(--stop); } line.caution { stroke: var(--caution); }
article { border-left: 3px solid var(--line); padding-left: .8rem; margin: .8rem 0; }
article.stop { border-color: var(--stop); color: inherit; } article.caution { border-color: var(--caution);
  color: inherit; }
article.answer { display: flex; flex-wrap: wrap; gap: .3rem 1rem; }
article.right { border-color: var(--best); } article.wrong { border-color: var(--stop); }
.answer img { align-self: flex-start; max-width: 100%; height: auto; }
.answer dl { flex: 1; min-width: 14rem; margin: 0; display: grid;
  grid-template-columns: 5rem 1fr; align-content: start; }
.answer dt { color: var(--dim); } .answer dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.answer b { font-weight: 600; }
article h3 { font-size: 1rem; margin: 0; } article p { margin: .2rem 0; } .dim { color: var(--dim); }
@media print { body { max-width: none; margin: 0; font-size: 10pt; } figure, article, tr { break-inside: avoid; }
  h2, h3, h2 + p, figcaption, th { break-after: avoid; } .scroll { overflow: visible; } table.words { font-size: 8pt; }
  .charts { display: grid; grid-template-columns: 1fr 1fr; gap: 0 2rem; } .charts figure { margin: .8rem 0; }
  .charts svg .tick, .charts svg .mark, .charts svg .off-scale { font-size: 15px; }
  .answers { grid-template-columns: 1fr 1fr; font-size: 8pt; } }
"""

_FIGURE = re.compile(r"[-+]?\d[\d.,:e+-]*( \S{1,3})?")
"""A figure with its unit, which is not broken over two lines."""


def _run_style() -> str:
    """Colours of curves of one kind, such as the accuracy on each task."""
    light, dark = (
        "".join(f"--run-{number}: {color}; " for number, color in enumerate(colors, 1))
        for colors in (RUNS_ON_LIGHT, RUNS_ON_DARK)
    )
    rules = (
        f"polyline.run-{number} {{ stroke: var(--run-{number}); }} circle.run-{number} {{ fill: var(--run-{number}); }}"
        f" span.run-{number} {{ color: var(--run-{number}); }}"
        for number in range(1, len(RUNS_ON_LIGHT) + 1)
    )
    scheme = f":root {{ {light}}} @media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"
    return "\n".join([scheme, *rules])


def html(figures: Mapping[str, Any], state: RunState, kept: Answers) -> str:
    """The whole page. Every text from a log is escaped; the page forbids itself scripts and connections.

    Args:
        figures: from `report_figures`.
        state: the same run, for its charts.
        kept: its answers, for their pictures.
    """
    smooth(state)
    name = _text(figures["run"])
    body = [f"<h1>{name}</h1>", _table((), headlines(figures, sanitize), words=True), *_health(figures)]
    if figures["odd_steps"]:
        listed = "".join(f"<li>{_text(each['says'])}</li>" for each in figures["odd_steps"])
        body.append(f"<h2>Odd steps</h2><ul>{listed}</ul>")
    body.append('<div class="charts">')
    for chart in DEFAULT_CHARTS:
        spec = chart.of(state)
        if picture := svg(spec):
            title = f'<b class="title">{_text(spec.title)}</b>'
            body.append(f"<figure><figcaption>{title} {legend(spec)}</figcaption>\n{picture}\n</figure>")
    body.append("</div>")
    if figures["epochs"]:
        body += ["<h2>Every epoch</h2>", _table(EPOCH_HEADINGS, epoch_cells(figures))]
    if figures["answers"]:
        body += answers_html(figures["answers"], kept, _text)
    if figures["checkpoints"]:
        body += ["<h2>Checkpoints</h2>", _table(*_checkpoints(figures["checkpoints"]))]
    if figures["notes"]:
        body += ["<h2>Notes</h2>", "<ul>", *(f"<li>{_text(note)}</li>" for note in figures["notes"]), "</ul>"]
    environment = {"host": figures["host"], "ranks": figures["world_size"], **figures["versions"]}
    for title, values in (("Plan", figures["plan"]), ("Environment", environment)):
        if known := list(spelled_out(values)):
            body += [f"<h2>{title}</h2>", _table((), known, words=True)]
    if figures["preset"]:
        reasons = figures["preset"].get("reasons", {})
        rows_of = ((key, value_text(value), reasons.get(key, "")) for key, value in preset_values(figures["preset"]))
        body += ["<h2>Preset</h2>", _table(("parameter", "value", "why"), rows_of, words=True)]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}</title><style>{_STYLE}{_run_style()}</style></head><body>",
            *body,
            "</body></html>\n",
        ]
    )


def _health(figures: Mapping[str, Any]) -> list[str]:
    """The diagnoses with evidence and advice, then every finding, also those that are over."""
    parts = ["<h2>Health</h2>"]
    if not figures["findings"]:
        return [*parts, "<p>No findings.</p>"]
    for told in figures["diagnoses"]:
        lines = "".join(f"<li>{_text(each['rule'])}: {_text(each['message'])}</li>" for each in told["evidence"])
        advice = f"<p>Advice: {_text(told['advice'])}</p>" if told["advice"] else ""
        parts.append(
            f'<article class="{_text(told["severity"])}"><h3>{_text(told["severity"])}: {_text(told["sentence"])}</h3>'
            f"<ol>{lines}</ol>{advice}</article>"
        )
    parts.append("<h2>Findings</h2>")
    for each in figures["findings"]:
        held = f"since {figures['unit']} {each['step']:,}"
        if each["resolved"] is not None:
            held = f"from {figures['unit']} {each['step']:,} to {each['resolved']:,}, resolved"
        style = each["severity"] if each["resolved"] is None else "dim"
        parts.append(
            f'<article class="{_text(style)}"><h3>{_text(each["severity"])}: {_text(each["rule"])}'
            f' <span class="dim">{held}</span></h3><p>{_text(each["message"])}</p></article>'
        )
    return parts


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, words: bool = False) -> str:
    """A table; of `words` the lines may be broken, of figures they are not."""
    head = f"<tr>{''.join(f'<th>{_text(each)}</th>' for each in headings)}</tr>" if headings else ""
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    opening = '<table class="words">' if words else "<table>"
    return f'<div class="scroll">{opening}{head}\n{body}</table></div>'


def _cell(text: str) -> str:
    opening = '<td class="figure">' if _FIGURE.fullmatch(text) else "<td>"
    return f"{opening}{_text(text)}</td>"


def _checkpoints(found: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows of the table of checkpoints."""
    tasks = list(dict.fromkeys(task for each in found for task in each["tasks"]))
    rows = [
        (
            f"{each['step']:,}",
            figure(each["eval_loss"], "-"),
            *(accuracy(*each["tasks"][task]) if task in each["tasks"] else "-" for task in tasks),
            _size(each["bytes"]),
            "kept" if each["kept"] else "deleted",
        )
        for each in found
    ]
    return ("step", "eval loss", *tasks, "size", ""), rows


def _size(count: Any) -> str:
    return filesize(count) if isinstance(count, int) else "-"


def _text(text: Any) -> str:
    return escape(sanitize(str(text)))
