"""Checkpoint actions: make one the adapter, evaluate, ask, merge, report. The question first, then the work.

Nothing is begun, replaced or overwritten by a single key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual.app import App
from textual.message import Message

from vlmft_console.app.messages import ActionDone, AskFirst, WorkReady
from vlmft_console.app.run_actions import in_thread
from vlmft_console.programs.work import Work, eval_work, merge_work, predict_work, worst_work
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import status_of
from vlmft_core.durable import write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.layout import RunLayout

REPORT = "report.html"
"""In the run's folder."""
_BUSY = " The run trains at the same time: both need memory, and are slower."


def _adapter(app: App[None], run: RunLayout, step: int) -> None:
    """Ask whether a checkpoint's adapter shall be the run's, and make it that."""
    from vlmft_console.runs.checkpoint_adapter import adapter_step, check_replaceable, checkpoint_at, take_adapter

    folder = RunFolder(run.path)

    def take() -> Message:
        return ActionDone(f"{take_adapter(folder, step, 'the console')}: the adapter of step {step:,}")

    def look() -> Message:
        checkpoint_at(folder, step)
        check_replaceable(folder)
        before = adapter_step(folder)
        if before == step:
            return ActionDone(f"The adapter of {run.name} is that of step {step:,} already")
        whose = "none of the checkpoints here" if before is None else f"step {before:,}"
        there = f"It takes the place of {run.adapter}, which is that of {whose}."
        detail = there if run.adapter.exists() else f"It is written to {run.adapter}."
        question = f"Make step {step:,} the adapter of {run.name}?"
        return AskFirst(question, "write it, and keep a record of it", detail, partial(in_thread, app, take))

    in_thread(app, look)


def _long(prepare: Callable[[Path, int], Work], app: App[None], run: RunLayout, step: int) -> None:
    """Ask whether work shall begin that takes a while."""

    def look() -> Message:
        work = prepare(run.path, step)
        detail = work.detail + (_BUSY if status_of(RunFolder(run.path)).live else "")

        def begin() -> None:
            app.post_message(WorkReady(work))

        return AskFirst(f"{work.title}?", "begin", detail, begin)

    in_thread(app, look)


def _predict(app: App[None], run: RunLayout, step: int) -> None:
    """Let a person ask a checkpoint."""
    from vlmft_console.app.dialogs.question import QuestionScreen

    def ask(asked: tuple[str, str] | None) -> None:
        if asked:
            in_thread(app, lambda: WorkReady(predict_work(run.path, step, *asked)))

    app.push_screen(QuestionScreen(f"Ask step {step:,} of {run.name}"), ask)


def _report(app: App[None], run: RunLayout, step: int) -> None:
    """Write all about the run to a file in its folder."""
    file = run.path / REPORT

    def write() -> Message:
        from vlmft_console.history.loading import read_log
        from vlmft_console.report.html import html
        from vlmft_console.report.run_report import report_figures
        from vlmft_core.run_folder.answers import read_answers

        log, kept = read_log(run.path), read_answers(run.answers_file)
        try:
            write_whole(file, html(report_figures(log, kept), log.state, kept))
        except OSError as error:
            raise VlmftError(f"{file} cannot be written: {error.strerror}") from None
        return ActionDone(f"written: {file.absolute()}")

    def look() -> Message:
        if not file.exists():
            return write()
        return AskFirst(
            f"Write the report of {run.name} again?", "replace it", str(file.absolute()), partial(in_thread, app, write)
        )

    in_thread(app, look)


ACTIONS: dict[str, Callable[[App[None], RunLayout, int], None]] = {
    "adapter": _adapter,
    "eval": partial(_long, eval_work),
    "merge": partial(_long, merge_work),
    "predict": _predict,
    "worst": partial(_long, worst_work),
    "report": _report,
}
"""What `CheckpointAction.action` names."""
