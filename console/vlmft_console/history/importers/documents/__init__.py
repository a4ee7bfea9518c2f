"""Documents: JSON and notebooks with a whole training in them."""
