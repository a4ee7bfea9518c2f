"""Core of vlmft, which both halves agree on: presets, the plan, the run folder, health. No torch, no Textual."""
