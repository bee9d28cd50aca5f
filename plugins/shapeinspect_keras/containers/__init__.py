"""Archives, HDF5 and npz files: from bytes to stored arrays."""
