"""The user's script, run again with edits of its source: what each value was, and which edit lets it end."""
