"""A user's script, run again from its beginning with edits of its source, in a process of its own."""
