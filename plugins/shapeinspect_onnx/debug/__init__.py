"""Why onnxruntime refused a call."""
