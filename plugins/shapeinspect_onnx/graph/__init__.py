"""From messages to a model: nodes, functions, constants, inference."""
