"""Cards of what a run leaves behind, an adapter or a merged model, and code that loads it."""
