"""The console half of vlmft: the command line, launching runs, and reading their event logs."""
