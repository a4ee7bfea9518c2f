"""Charts as text, drawn with plotext over decimated data. Nothing here imports Textual."""
