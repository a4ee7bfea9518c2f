"""Health of a training: findings and advice, as pure functions of its events so far. Loads no pydantic."""

from vlmft_core.health.diagnosis import Diagnosis
from vlmft_core.health.finding import CAUTION, STOP, Advice, Finding, Severity
from vlmft_core.health.judge import Health

__all__ = ["CAUTION", "STOP", "Advice", "Diagnosis", "Finding", "Health", "Severity"]
