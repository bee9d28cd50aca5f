"""The control flow of TensorFlow 1, which is nodes among others, as nodes that run functions."""
