"""What stands between a command and the terminal: its input, its output, its end."""
