"""TorchScript code, read and never run."""
