"""What bare weights prove."""
