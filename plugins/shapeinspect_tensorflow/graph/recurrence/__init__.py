"""Loops that are recurrent layers: the terms of one step, the cells that they are, and their weights."""
