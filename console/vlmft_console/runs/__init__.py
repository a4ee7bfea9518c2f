"""Starting, stopping and finding runs. Nothing here imports Textual."""
