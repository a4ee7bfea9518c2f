"""Data: samples from data sources, and how they become token ids."""
