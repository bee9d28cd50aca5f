"""The interfaces that an adapter builds on."""
