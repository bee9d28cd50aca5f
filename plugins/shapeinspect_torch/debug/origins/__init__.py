"""Follows the lengths of tensors through a second run of the user's program."""
