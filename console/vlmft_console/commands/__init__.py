"""The commands of `vlmft`, one a module. Each imports only typer and the standard library until it is called."""
