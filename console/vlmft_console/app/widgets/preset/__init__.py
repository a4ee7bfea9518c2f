"""Preset widgets: they show or change a preset."""
