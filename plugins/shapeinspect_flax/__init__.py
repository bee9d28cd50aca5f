"""The adapter of Flax checkpoints: msgpack files and Orbax directories."""
