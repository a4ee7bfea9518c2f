"""Run preview: the losses of one run in a list, small."""

from __future__ import annotations

from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.charts.spec import ChartSpec, Curve
from vlmft_console.charts.view import View
from vlmft_console.history.series import Series
from vlmft_console.runs.overview import Overview, Shape


class RunPreview(Chart, can_focus=False, inherit_bindings=False):
    """Train loss, averaged, and eval loss of the run under the cursor."""

    DEFAULT_CSS = """
    RunPreview {
        height: 12;
        margin: 0 1;
    }
    """

    def show_run(self, run: Overview | None) -> None:
        """Show this run, all of it."""
        self.look_at(View())
        if run is None:
            self.show(ChartSpec("", empty=""))
            return
        curves = (Curve("train, averaged", _series(run.loss_shape), "smooth"),
                  Curve("eval", _series(run.eval_shape), "points"))  # fmt: skip
        self.show(
            ChartSpec(
                f"Loss of {run.folder.name}",
                tuple(curve for curve in curves if curve.points.last),
                settles=True,
                limit=run.total_steps,
                empty="no loss yet" if run.read else "not read yet",
            )
        )


def _series(shape: Shape) -> Series:
    series = Series()
    for step, value in shape:
        series.append(step, value)
    return series
