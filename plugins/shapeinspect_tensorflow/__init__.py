"""The tensorflow adapters of shapeinspect."""
