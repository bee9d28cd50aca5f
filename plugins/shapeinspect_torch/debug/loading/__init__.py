"""A state_dict that does not fit a module: what differs, and the code that loads it, which is run."""
