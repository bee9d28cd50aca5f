"""The weights of two layers, slot by slot: their values, their transform, what fewer bits explain."""
