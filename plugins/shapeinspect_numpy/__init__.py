"""The adapter of NumPy's .npz and .npy files."""
