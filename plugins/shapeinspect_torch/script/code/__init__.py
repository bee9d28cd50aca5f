"""TorchScript's code as text: its classes, its functions as small trees, and the layers they belong to."""
