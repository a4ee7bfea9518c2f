"""Programs of the trainer, started from here: the console loads nothing heavy."""
