"""History: event logs read and reduced to the state of a run. Nothing here imports Textual."""
