"""Basic widgets: they know nothing of runs or presets."""
