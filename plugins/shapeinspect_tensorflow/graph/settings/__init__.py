"""What the attributes and inputs of TensorFlow's operations say of them, in the words of the vocabulary."""
