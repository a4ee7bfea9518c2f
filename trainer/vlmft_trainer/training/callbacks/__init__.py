"""Callbacks: what happens beside training, one a file."""
