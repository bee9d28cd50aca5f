"""The user's own source: what may be run again, its names, statements and edits."""
