"""Bounded readers of bytes, shared by all plug-ins."""
