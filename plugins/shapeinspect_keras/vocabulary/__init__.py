"""What Keras calls things: kinds, attributes, layouts."""
