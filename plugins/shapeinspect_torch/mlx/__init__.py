"""MLX, whose files are read with torch's safetensors: its layers store other axes under the same names."""
