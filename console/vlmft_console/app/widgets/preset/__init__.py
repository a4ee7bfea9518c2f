"""Widgets that show or change a preset."""
