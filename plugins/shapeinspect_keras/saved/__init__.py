"""From a saved config and stored weights to a model."""
