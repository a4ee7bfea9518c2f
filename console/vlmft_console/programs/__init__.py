"""The trainer's programs, started from here: the console loads nothing heavy."""
