"""What each command but ``show`` prints: explanations, fits, differences, divergences, references."""
