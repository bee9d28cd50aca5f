"""What the entry points name: an adapter for each form of ONNX's models."""
