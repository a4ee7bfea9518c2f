"""Scores of answers: how each is worth, and what a difference of them says."""
