"""Where the sizes of a graph and of what it is fed are written in the user's script."""
