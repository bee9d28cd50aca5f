"""One network of each kind in every framework, and ports from each into each."""
