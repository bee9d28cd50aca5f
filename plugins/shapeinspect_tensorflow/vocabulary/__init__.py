"""What TensorFlow calls things: layouts and dtypes."""
