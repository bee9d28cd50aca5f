"""The user's own code: its frames, source and calls, and a part of it run again with edits."""
