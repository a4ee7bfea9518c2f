"""Training: from a preset to an adapter."""
