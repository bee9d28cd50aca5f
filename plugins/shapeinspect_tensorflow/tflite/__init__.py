"""TFLite: from the flatbuffer to a model."""
