"""Fills in the shapes, axis names and work that the source did not give."""
