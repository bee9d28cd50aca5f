"""The shapes of what torch's functions return that no kind describes."""
