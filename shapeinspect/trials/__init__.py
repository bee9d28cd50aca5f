"""Runs changed copies of a failed script to their end, apart from everything the script could change."""
