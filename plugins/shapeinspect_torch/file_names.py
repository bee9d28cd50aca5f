"""The endings and limits by which safetensors files are known; imports nothing."""

from __future__ import annotations

SUFFIX = ".safetensors"
INDEX = ".safetensors.index.json"
#: The longest header that the reference reader takes.
MAX_HEADER = 100_000_000
