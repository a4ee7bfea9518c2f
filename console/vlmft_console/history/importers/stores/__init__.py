"""Stores: binary logs and databases."""
