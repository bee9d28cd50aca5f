"""Edits of a script on tensors, each run in the script as a whole."""
