"""Run actions: stop, resume and delete. The question first, then the work in a thread, then an `ActionDone`.

Nothing is started, ended or lost by a single key."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App
from textual.message import Message

from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.messages import ActionDone, ResumeReady
from vlmft_console.figures import clock
from vlmft_console.runs.folder import RunFolder
from vlmft_core.errors import VlmftError, in_words
from vlmft_core.figures import counted
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest

WITH_CHECKPOINT, NOW = "checkpoint", "now"


def _stop(app: App[None], run: RunLayout) -> None:
    """Ask how to stop a live run, and do it."""

    def stop(how: str | None) -> None:
        if not how:
            return

        def work() -> Message:
            from vlmft_console.runs.steering import stop_run

            stop_run(RunFolder(run.path), StopRequest("the console", now=how == NOW))
            if how == NOW:
                return ActionDone(f"{run.name}: ending all ranks now")
            return ActionDone(f"{run.name} stops at the next step, with a checkpoint")

        in_thread(app, work)

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
    """See whether a run can be resumed, or supervised again, and what that would come to; then comes the question."""

    def look() -> Message:
        return ResumeReady(run, resume_detail(RunFolder(run.path)))

    in_thread(app, look)


def ask_to_resume(app: App[None], run: RunLayout, detail: str) -> None:
    """Ask whether to resume a run that was found fit for it, and do it.

    Args:
        app: asks.
        run: the run.
        detail: as `resume_detail` has it.
    """

    def resume(answer: str | None) -> None:
        if not answer:
            return

        def work() -> Message:
            from vlmft_console.runs.resuming import resume_run

            return ActionDone("\n".join(filter(None, resume_run(RunFolder(run.path)))))

        in_thread(app, work)

    app.push_screen(
        ConfirmScreen(f"Resume {run.name}?", [Answer("y", "start the training", "resume")], detail, careful=True),
        resume,
    )


def resume_detail(folder: RunFolder) -> str:
    """`from step 51 of 120, on 2 GPUs, about 1:05 left`. Reads the whole log.

    Raises:
        VlmftError: as `check_resumable`.
    """
    from vlmft_console.runs.registry import read_run
    from vlmft_console.runs.resuming import check_resumable

    resumable = check_resumable(folder)
    if resumable is None:
        return "it trains, but nobody watches over it: it gets a supervisor again"
    preset, newest = resumable
    state, _ = read_run(folder)
    count, total = preset.hardware.gpus, state.total_steps
    parts = [f"from step {newest.step:,}" + (f" of {total:,}" if total else "")]
    parts.append("on the CPU" if preset.hardware.device == "cpu" else f"on {counted(count, 'GPU')}")
    if total and (speed := state.pulse.steps_per_second):
        parts.append(f"about {clock(max(0, total - newest.step) / speed)} left")
    return ", ".join(parts)


def _delete(app: App[None], run: RunLayout) -> None:
    """Ask whether to delete a run that is not live, and do it."""

    def delete(answer: str | None) -> None:
        if not answer:
            return

        def work() -> Message:
            from vlmft_console.runs.steering import delete_run

            return ActionDone(f"deleted {delete_run(RunFolder(run.path))}")

        in_thread(app, work)

    app.push_screen(
        ConfirmScreen(
            f"Delete {run.name}?",
            [Answer("y", "delete the folder with everything in it", "delete")],
            str(run.path.absolute()),
            careful=True,
        ),
        delete,
    )


def in_thread(app: App[None], work: Callable[[], Message]) -> None:
    """Work beside the app, which gets the message that it comes to, or what was wrong."""

    def run() -> None:
        try:
            app.post_message(work())
        except (VlmftError, OSError) as error:
            app.post_message(ActionDone(in_words(error), problem=True))

    app.run_worker(run, thread=True, group="actions")


ACTIONS = {"stop": _stop, "resume": _resume, "delete": _delete}
"""What `RunAction.action` names."""
