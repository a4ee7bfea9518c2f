"""Diagnosis in words and as JSON: what is wrong with a run, by what evidence, and what to do."""

from __future__ import annotations

from typing import Any

from vlmft_core.health import Diagnosis, Health

UNJUDGED = "the evals get no verdict: {}"
"""What is said where the health rules do not judge them, with the reason."""


def diagnosis_dict(diagnosis: Diagnosis, *, named_steps: bool = True) -> dict[str, Any]:
    """A diagnosis, JSON-able.

    Args:
        diagnosis: that.
        named_steps: whether the log tells steps; where it does not, `step` is null.
    """
    return {
        "cause": diagnosis.cause,
        "severity": diagnosis.severity,
        "step": diagnosis.step if named_steps else None,
        "epoch": diagnosis.epoch,
        "sentence": diagnosis.sentence,
        "evidence": [{"rule": rule, "message": text} for rule, text in evidence(diagnosis)],
        "advice": diagnosis.advice.text,
        "changes": dict(diagnosis.advice.changes),
    }


def unjudged_notes(health: Health) -> list[str]:
    """That the evals get no verdict, and why; nothing where they do."""
    return [UNJUDGED.format(health.unjudged)] if health.unjudged else []


def health_lines(health: Health) -> list[str]:
    """Diagnoses in words: what, by which evidence, and the advice, a fact a line; and what is not judged."""
    lines = unjudged_notes(health)
    for told in map(diagnosis_dict, health.diagnoses):
        lines += [f"{told['severity']}: {told['sentence']}", *(f"  {line}" for line in numbered(told))]
        lines += [f"  advice: {told['advice']}"] if told["advice"] else []
    return lines


def evidence(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The rules that found something, and what they say."""
    return list(zip(diagnosis.rules, diagnosis.evidence or (diagnosis.sentence,), strict=True))


def numbered(told: dict[str, Any]) -> list[str]:
    """The evidence of a diagnosis in words, numbered where there are several.

    Args:
        told: from `diagnosis_dict`.
    """
    found = [f"{each['rule']}: {each['message']}" for each in told["evidence"]]
    if len(found) == 1:
        return [told["evidence"][0]["rule"] if told["evidence"][0]["message"] == told["sentence"] else found[0]]
    return [f"{number}. {text}" for number, text in enumerate(found, 1)]
