"""Fixes, one family a file."""
