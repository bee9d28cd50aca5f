"""The onnx adapters of shapeinspect."""
