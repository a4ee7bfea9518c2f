"""The app: everything that imports Textual."""
