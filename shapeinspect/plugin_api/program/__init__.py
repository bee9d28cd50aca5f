"""The source of a program that has failed: where its values come from, and edits of it to suggest."""
