"""From a live module, without numbers, to the values of the core."""
