"""The torch adapters of shapeinspect."""
