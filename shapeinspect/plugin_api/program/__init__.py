"""The user's own program, run again with edits of its source: ``replay``, with the ``edits``."""
