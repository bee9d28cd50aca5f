"""From bytes to messages without the weights."""
