"""Edits of a failed script that are worth trying, from what its second run saw: one family a file."""
