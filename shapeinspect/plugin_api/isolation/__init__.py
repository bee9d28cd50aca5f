"""Takes from a process, or a thread, that runs the user's code again what it could change outside of it."""
