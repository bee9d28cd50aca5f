"""What was asked for: paths, URLs, import strings, live objects."""
