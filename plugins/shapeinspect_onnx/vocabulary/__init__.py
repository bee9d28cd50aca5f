"""What ONNX calls things: operators, settings, layouts, dtypes."""
