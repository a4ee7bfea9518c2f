"""Run widgets: they show a run."""
