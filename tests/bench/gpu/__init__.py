"""GPU bench: speed of the real sizes, agreement with a CPU, and whole trainings, on one GPU without a network."""
