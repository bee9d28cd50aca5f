"""The meaning of one call of a layer or an operation, shared by live and saved models."""
