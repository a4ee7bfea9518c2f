"""What both halves of vlmft agree on: presets, the plan, the run folder, health. No torch, no Textual."""
