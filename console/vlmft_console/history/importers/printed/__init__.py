"""Printed logs: dicts, lines, bars and tables among whatever else a program says."""
