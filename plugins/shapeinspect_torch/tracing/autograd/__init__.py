"""What autograd saves of a forward, and the versions of its tensors."""
