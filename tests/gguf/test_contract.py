"""The contract that every adapter passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case


class TestGguf(AdapterContract):
    def entry_point(self) -> str:
        return "gguf"

    def cases(self, folder: Path) -> Sequence[Case]:
        found = []
        for name, arch in (("m.gguf", "llama"), ("other.gguf", "sd")):
            writer = gguf.GGUFWriter(folder / name, arch)
            if arch == "llama":
                writer.add_block_count(1)
                writer.add_layer_norm_rms_eps(1e-5)
            writer.add_token_list(["a", "bc"])
            writer.add_tensor("token_embd.weight", np.zeros((11, 5), np.float16))
            writer.add_tensor("blk.0.attn_norm.weight", np.zeros((5,), np.float32))
            quantized = np.zeros((7, 34), np.uint8)
            writer.add_tensor("blk.0.attn_q.weight", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor("stem.weight", np.zeros((2, 3, 5, 7), np.float32))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            params = sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(folder / name).tensors)
            found.append(Case(from_path(folder / name), params))
        return found
