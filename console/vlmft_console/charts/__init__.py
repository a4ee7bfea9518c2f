"""Charts: rows of styled characters. Nothing here imports Textual: the app and `vlmft plot` draw the same."""
