"""What is said of a diagnosis: as text, as data, as HTML."""
