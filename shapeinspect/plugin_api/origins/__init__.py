"""Where a program's sizes come from: its literals, followed through a second run in a process of its own."""
