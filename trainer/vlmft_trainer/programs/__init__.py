"""Programs beside the training: evaluate, merge, predict, inspect data. The console starts each as a process."""
