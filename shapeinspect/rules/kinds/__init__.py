"""One file a family of kinds: the functions of its arithmetic, and below them one row a kind."""
