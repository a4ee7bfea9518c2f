"""Ranks: what they do together, and the process group and environment they run in."""
