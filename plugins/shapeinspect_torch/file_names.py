"""The endings and limits by which safetensors files are known; imports nothing."""

from __future__ import annotations

SUFFIX = ".safetensors"
INDEX = ".safetensors.index.json"
#: The longest header that the reference reader takes.
MAX_HEADER = 100_000_000

#: The files that name the parts of a model: of diffusers, and of sentence-transformers.
PARTS = PIPELINE, MODULES = "model_index.json", "modules.json"
