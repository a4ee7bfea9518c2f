"""Reports in a real browser: readable on a phone, on a wide screen and on paper."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.in_browser import Page, browser
from tests.records import evaluated, plan, run_start, step, write_log
from vlmft_console.cli import app

pytestmark = pytest.mark.apart

LOGS = Path(__file__).parents[2] / "logs"
PHONE, WIDE = 390, 1200
BOXES = """JSON.stringify([...document.querySelectorAll('SELECTOR')].map(each => {
  const words = document.createRange();
  words.selectNodeContents(each);
  const box = words.getBoundingClientRect(), lines = new Set([...words.getClientRects()].map(one => one.top));
  return {text: each.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom,
    lines: lines.size, chart: each.closest('svg') ? each.closest('svg').getAttribute('aria-label') : ''};
}))"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path / "browser") as opened:
        yield opened


def long_run(folder: Path) -> Path:
    """A log of many steps and of large and small figures."""
    records = [run_start(), plan(1_234_567)]
    for number in range(1000, 1_234_567, 2000):
        records.append(step(number, 12345.678 / number, lr=1e-7, grad_norm=54321.0 + number % 7, epoch=number / 1e5))
    records += [evaluated(number, 1e-5 * number, samples=1_003_520) for number in range(100_000, 1_234_567, 100_000)]
    return write_log(folder / "long" / "logs" / "events-0001.jsonl", records).parents[1]


async def boxes(page: Page, selector: str) -> list[dict[str, Any]]:
    """Where the words of each such element are, and on how many lines."""
    found: list[dict[str, Any]] = json.loads(await page.evaluate(BOXES.replace("SELECTOR", selector)))
    assert found
    return found


@pytest.mark.parametrize("width", [PHONE, WIDE])
@pytest.mark.parametrize("run", ["healthy", "diverging", "resumed", "long"])
async def test_a_report_fits_the_screen_and_breaks_no_figure(page: Page, tmp_path: Path, run: str, width: int) -> None:
    target = long_run(tmp_path) if run == "long" else LOGS / run
    report = tmp_path / "report.html"
    assert CliRunner().invoke(app, ["report", str(target), "-o", str(report)]).exit_code == 0
    await page.resize(width, 800)
    await page.open(report.as_uri())
    await page.wait_until_loaded()
    if kept := os.environ.get("VLMFT_PICTURES"):
        (Path(kept) / f"report-{run}-{width}.png").write_bytes(await page.picture())
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    figures = [each for each in await boxes(page, "td") if each["text"][:1].isdecimal() and " " not in each["text"]]
    assert figures
    assert not [each for each in figures if each["lines"] > 1]
    labels = await boxes(page, "svg .tick")
    for each in labels:
        assert 0 <= each["left"] < each["right"] <= width, each
        assert each["bottom"] - each["top"] >= 9, each
    for number, each in enumerate(labels):
        for other in labels[number + 1 :]:
            apart = (
                each["chart"] != other["chart"]
                or each["right"] + 2 <= other["left"]
                or other["right"] + 2 <= each["left"]
                or each["bottom"] <= other["top"] + 3
                or other["bottom"] <= each["top"] + 3
            )
            assert apart, (each, other)


async def test_on_paper_it_is_a_few_pages(page: Page, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert CliRunner().invoke(app, ["report", str(LOGS / "healthy"), "-o", str(report)]).exit_code == 0
    await page.open(report.as_uri())
    await page.wait_until_loaded()
    paper = base64.b64decode((await page.call("Page.printToPDF"))["data"])
    assert 2 <= paper.count(b"/Type /Page\n") <= 6
