"""Chart picture: a chart of the screen as a file in the folder that the console was started in."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.report.picture_file import free_file, picture
from vlmft_core.durable import write_whole
from vlmft_core.errors import VlmftError, in_words


def write_picture(wanted: Chart.PictureRequested, subject: str) -> None:
    """Write it over nothing that is there, and say where it is, or why it is not.

    Args:
        wanted: which chart, as far as it is seen, and the kind of file.
        subject: what the screen shows. Foreign text.
    """
    chart = wanted.chart
    try:
        drawn = picture([(chart.spec, chart.view)], subject, wanted.ending)
        path = free_file(Path.cwd(), f"{subject} {chart.spec.title}".strip(), wanted.ending)
        write_whole(path, drawn, private=False)
    except (VlmftError, OSError) as error:
        tell(chart.app, f"no picture: {in_words(error)}", problem=True)
    else:
        tell(chart.app, f"written: {path}")
