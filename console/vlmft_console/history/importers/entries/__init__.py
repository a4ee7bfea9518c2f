"""Entries of a log, whatever its format, as records: names, values, the order of steps."""
