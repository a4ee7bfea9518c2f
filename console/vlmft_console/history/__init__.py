"""Reading event logs and reducing them to the state of a run. Nothing here imports Textual."""
