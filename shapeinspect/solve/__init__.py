"""Which input sizes a network accepts: its shape program, run on all candidate sizes at once."""
