"""What made the sizes that do not fit, and which causes they allow."""
