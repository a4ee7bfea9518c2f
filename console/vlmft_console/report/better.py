"""Better run: which of several was, by how much, and whether that may be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from vlmft_console.figures import between, percent, points
from vlmft_console.history.loading import ReadLog
from vlmft_console.report.compare import best_loss, task_score
from vlmft_core.figures import figure
from vlmft_core.health.scatter import Scatter
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.scores import Points, common, read_points
from vlmft_core.scoring.chance import Asked, difference, mean_interval, paired

SURE = 2.0
"""Standard deviations by which eval losses must differ."""
SAMPLES_DIFFER = 0.2
"""Variance of the difference of two runs' losses on one sample, as a share of the squared mean loss: such losses vary
about as much as they are large, and correlate by about 0.9. The logs do not tell it."""


@dataclass(frozen=True)
class Better:
    """Which run was better."""

    winner: int | None
    """Index of the run; None where it cannot be told."""
    measure: str
    """What it was judged by."""
    values: tuple[float | None, ...]
    """That measure for each run."""
    text: str
    """A few sentences: which, by how much, whether it may be chance, what that rests on. Holds names of runs: foreign
    text."""
    bounds: tuple[tuple[float | None, float | None], ...] = ()
    """Where each of the values lies 19 times of 20; of accuracies alone."""
    p: float | None = None
    """Probability that chance alone makes such a difference, where questions were compared one by one."""


def better(runs: Sequence[ReadLog]) -> Better:
    """Judge by the tasks that all runs answered; where these leave it open, by the best eval loss."""
    tasks = [task for task in runs[0].state.tuned_scores if all(task_score(run, task) is not None for run in runs)]
    losses = [best_loss(run) for run in runs]
    known = [loss for loss in losses if loss is not None]
    by_loss = _by_loss(runs, known) if len(known) == len(runs) else None
    if not tasks:
        return by_loss or Better(
            None, "", tuple(losses), "No measure is known of all these runs: which is better is open."
        )
    by_tasks = _by_tasks(runs, tasks)
    if by_tasks.winner is not None or by_loss is None:
        return by_tasks
    if by_loss.winner is None:
        return replace(by_tasks, text=f"{by_tasks.text} {by_loss.text}")
    return replace(by_loss, text=f"{by_tasks.text} So the eval loss decides: {by_loss.text}")


def _by_tasks(runs: Sequence[ReadLog], tasks: list[str]) -> Better:
    measured = [[score for task in tasks if (score := task_score(run, task))] for run in runs]
    values = tuple(fmean(share for share, _ in scores) for scores in measured)
    bounds = tuple(map(mean_interval, measured))
    measure = f"accuracy on {' and '.join(tasks)}"
    first, second = sorted(range(len(runs)), key=lambda index: -values[index])[:2]
    winner, how, p = _told_apart(runs, tasks, measured, first, second)
    ahead = points(values[first] - values[second])[1:]  # whoever is ahead needs no sign
    one, other = (f"{percent(values[index])} {between(*bounds[index])}" for index in (first, second))
    if winner == second:
        text = f"{runs[second].name} is better by {measure} on the questions that both were asked."
    elif values[first] == values[second]:
        text = f"By {measure} the best two are equal: {one} (95 % interval)."
    else:
        is_better = "is better" if winner is not None else "is ahead"
        text = f"{runs[first].name} {is_better} by {ahead} points of {measure}: {one}, {runs[second].name} {other}."
    return Better(winner, measure, values, f"{text} {how}", bounds, p)


def _told_apart(
    runs: Sequence[ReadLog], tasks: list[str], measured: list[list[Asked]], first: int, second: int
) -> tuple[int | None, str, float | None]:
    """Which of two runs is better by more than chance, how that was told, and the probability of chance, if known."""
    sides = [_points(runs[index], tasks) for index in (first, second)]
    lacking = [runs[index].name for index, side in zip((first, second), sides, strict=True) if None in side]
    if not lacking:
        pairs = [common(one, other) for one, other in zip(*sides, strict=True) if one is not None and other is not None]
        asked = sum(max(len(side) for side in both if side is not None) for both in zip(*sides, strict=True))
        if not all(pairs):
            return None, "They were not asked the same questions, so that does not tell which is better.", None
        found = paired(pairs)
        among = f"On {'all' if found.questions == asked else 'the'} {found.questions:,} questions that both answered"
        if found.questions < asked:
            among += f" (of {asked:,}), {points(found.gain)} points"
        winner = None if not found.sure else first if found.gain > 0 else second
        return winner, f"{among}: {found.says}.", found.p
    same = same_eval(runs)
    if same is False:
        return None, "They were not evaluated on the same data, so that does not tell which is better.", None
    low, high = difference(list(zip(measured[first], measured[second], strict=True)))
    how = f"Which questions were right is not kept in {' and '.join(lacking)}: by the shares alone, the difference lies"
    how += f" in {between(low, high)}"
    if low <= 0:
        return None, f"{how}, which may be chance.", None
    if same is None:
        return None, f"{how}, if all were asked the same questions, which the logs do not tell.", None
    return first, f"{how}.", None


def _points(run: ReadLog, tasks: list[str]) -> list[Points | None]:
    """The points of the answers that count, question by question, for each task; None where they are not kept."""
    step = run.state.answered["step"] if run.state.answered else -1
    kept = read_points(RunLayout(run.log.path).scores_file)
    return [kept.get((step, task)) or None for task in tasks]


def _by_loss(runs: Sequence[ReadLog], losses: list[float]) -> Better:
    first, second = sorted(range(len(runs)), key=lambda index: losses[index])[:2]
    ahead, measure, values = losses[second] - losses[first], "best eval loss", tuple(losses)
    if ahead == 0:
        return Better(None, measure, values, f"The best two are equal: eval loss {figure(losses[first])}.")
    chance = SURE * math.hypot(*(_noise(runs[index]) for index in (first, second)))
    same, share = same_eval(runs), ahead / abs(losses[second]) if losses[second] else 0.0
    sure = share > chance and same is True
    text = f"{runs[first].name} is {'better' if sure else 'ahead'} by {figure(ahead)} of eval loss"
    text += f", {percent(share)}" if share else ""
    text += f" ({figure(losses[first])} against {figure(losses[second])} of {runs[second].name})"
    if share <= chance:
        text += f", which may be chance (that makes up to {percent(chance)})."
    elif same is None:
        text += ". It is better only if all were evaluated on the same data, which the logs do not tell."
    elif not same:
        text += ", but they were not evaluated on the same data, so that does not tell which is better."
    else:
        text += f", more than chance makes (up to {percent(chance)})."
    return Better(first if sure else None, measure, values, text)


def _noise(run: ReadLog) -> float:
    """Standard deviation of a run's eval loss, as a share of it: how it scatters from eval to eval, and by the choice
    of so many samples."""
    scatter = Scatter()
    samples = (run.state.best_eval or {}).get("samples")
    by_choice = SAMPLES_DIFFER / 2 / samples if type(samples) is int and samples > 0 else 0.0
    evals = {record["step"]: record["eval_loss"] for record in run.state.current_evals}
    for _, loss in sorted(evals.items()):
        if loss is not None and loss > 0:
            scatter = scatter.next(math.log(loss))
    return math.sqrt(scatter.noise() ** 2 + by_choice)


def same_eval(runs: Sequence[ReadLog]) -> bool | None:
    """Whether all were evaluated on the same samples; None where that is not known."""
    plans = [(run.state.plan or {}).get("eval_data") for run in runs]
    if all(plans):
        return len(set(map(str, plans))) == 1
    presets = [run.log.preset for run in runs]
    known = [(each.data.sources, each.data.max_eval, each.model.base) for each in presets if each]
    return all(each == known[0] for each in known) if len(known) == len(runs) else None
