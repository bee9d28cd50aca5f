"""What the entry points name."""
