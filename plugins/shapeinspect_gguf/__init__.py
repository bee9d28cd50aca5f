"""The GGUF adapter of shapeinspect."""
