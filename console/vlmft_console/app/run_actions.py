"""Run actions: stop, resume and delete. The question first, then the work in a thread, then an `ActionDone`."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App

from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.messages import ActionDone
from vlmft_console.runs.folder import RunFolder
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest

WITH_CHECKPOINT, NOW = "checkpoint", "now"


def _stop(app: App[None], run: RunLayout) -> None:
    """Ask how to stop a live run, and do it."""

    def stop(how: str | None) -> None:
        if not how:
            return

        def work() -> str:
            from vlmft_console.runs.steering import stop_run

            stop_run(RunFolder(run.path), StopRequest("the console", now=how == NOW))
            if how == NOW:
                return f"{run.name}: ending all ranks now"
            return f"{run.name} stops at the next step, with a checkpoint"

        _in_thread(app, work)

    app.push_screen(
        ConfirmScreen(
            f"Stop {run.name}?",
            (
                Answer("s", "stop with a checkpoint, to resume from", WITH_CHECKPOINT),
                Answer("n", "stop now; steps since the last checkpoint are lost", NOW),
            ),
        ),
        stop,
    )


def _resume(app: App[None], run: RunLayout) -> None:
    """Resume a run that stopped, or supervise one that lost its supervisor."""

    def work() -> str:
        from vlmft_console.runs.steering import resume_run

        return "\n".join(filter(None, resume_run(RunFolder(run.path))))

    _in_thread(app, work)


def _delete(app: App[None], run: RunLayout) -> None:
    """Ask whether to delete a run that is not live, and do it."""

    def delete(answer: str | None) -> None:
        if not answer:
            return

        def work() -> str:
            from vlmft_console.runs.steering import delete_run

            return f"deleted {delete_run(RunFolder(run.path))}"

        _in_thread(app, work)

    app.push_screen(
        ConfirmScreen(
            f"Delete {run.name}?",
            [Answer("y", "delete the folder with everything in it", "delete")],
            str(run.path.absolute()),
            careful=True,
        ),
        delete,
    )


def _in_thread(app: App[None], work: Callable[[], str]) -> None:
    def run() -> None:
        try:
            app.post_message(ActionDone(work()))
        except VlmftError as error:
            app.post_message(ActionDone(str(error), problem=True))

    app.run_worker(run, thread=True, group="actions")


ACTIONS = {"stop": _stop, "resume": _resume, "delete": _delete}
"""What `RunAction.action` names."""
