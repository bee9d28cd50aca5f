"""Zip files, legacy files, safetensors, shards and directories."""
