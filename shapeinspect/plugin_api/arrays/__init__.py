"""Arrays that are fed or made outside of every layer, and edits that make them fit."""
