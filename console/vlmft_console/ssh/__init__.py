"""Another machine by the person's own `ssh`: how it is named, what is started there, and the terminal meanwhile."""
