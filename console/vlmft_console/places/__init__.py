"""Places: where a run trains, beside this machine, and what the engines there are asked and told."""
