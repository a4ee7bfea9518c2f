"""Stand-in for the training half: the same command line, files and manners, and nothing that learns."""
