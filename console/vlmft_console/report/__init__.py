"""Reports of a run: one HTML file, or Markdown, JSON, CSV."""
