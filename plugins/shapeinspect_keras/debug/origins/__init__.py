"""Where the sizes of a failed statement come from, by what its expressions were in one more run."""
