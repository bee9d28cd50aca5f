"""What one call of a layer or an operation does, the same for a live model and a saved one."""
