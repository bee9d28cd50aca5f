"""The keras adapters of shapeinspect."""
