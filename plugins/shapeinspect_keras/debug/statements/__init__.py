"""Errors that the user's own statement and Keras's message explain together, with edits that mend them."""
