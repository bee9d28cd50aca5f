"""From a live model to the values of the core."""
