"""Health rules: what a log says about its training. Pure functions of the events so far. Loads no torch."""

from vlmft_core.health.finding import CAUTION, STOP, Advice, Finding, Severity
from vlmft_core.health.judge import Health

__all__ = ["CAUTION", "STOP", "Advice", "Finding", "Health", "Severity"]
