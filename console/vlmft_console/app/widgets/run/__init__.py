"""Widgets that show a run."""
