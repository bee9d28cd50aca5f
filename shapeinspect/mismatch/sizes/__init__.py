"""Which lengths do not fit, and which ones a layer, a loss or a batch takes."""
