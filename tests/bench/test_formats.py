"""Reading saved formats against the reader that comes with each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .conftest import measure, python, shapeinspect

pytestmark = pytest.mark.bench

_TORCH = """
import sys, torch
loaded = torch.load(sys.argv[1], weights_only=True, mmap=True)
print([(name, tuple(value.shape)) for name, value in loaded.items()])
"""
_TENSORFLOW = "import sys, tensorflow as tf; print(tf.train.list_variables(sys.argv[1]))"
_GGUF = "import sys, gguf; print([(t.name, t.shape) for t in gguf.GGUFReader(sys.argv[1]).tensors])"


def _state(count: int, length: int) -> dict[str, object]:
    import torch

    return {f"layers.{n}.weight": torch.empty(length + n % 7, 8) for n in range(count)}


def test_a_torch_zip_of_two_gigabytes(compare, tmp_path: Path) -> None:
    import torch

    path = str(tmp_path / "large.pt")
    torch.save(_state(384, (2 << 30) // 384 // 32), path)
    peer = python(_TORCH, path)
    faster, smaller = compare("show a 2 GiB, 384-tensor torch zip", shapeinspect("show", path), peer, runs=3)
    assert faster >= 10
    assert smaller >= 8


def test_a_torch_zip_of_20000_tensors(compare, tmp_path: Path) -> None:
    import torch

    path = str(tmp_path / "many.pt")
    torch.save(_state(20_000, 3), path)
    faster, _ = compare(
        "show a 20,000-tensor torch zip", shapeinspect("show", path), python(_TORCH, path), runs=3
    )
    assert faster >= 4


def test_a_checkpoint_of_5000_variables(compare, tmp_path: Path) -> None:
    import tensorflow as tf

    variables = {f"v{n}": tf.Variable(np.zeros((3, 5), np.float32)) for n in range(5000)}
    path = tf.train.Checkpoint(**variables).write(str(tmp_path / "model"))
    ours = shapeinspect("show", f"{path}.index")
    faster, _ = compare("show a 5,000-variable checkpoint", ours, python(_TENSORFLOW, path), runs=3)
    assert faster >= 8


def test_a_gguf_with_a_vocabulary_of_128000_words(compare, tmp_path: Path) -> None:
    import gguf

    path = str(tmp_path / "words.gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_token_list([f"word{n}" for n in range(128_000)])
    writer.add_tensor("token_embd.weight", np.zeros((128, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    faster, _ = compare(
        "show a GGUF of 128,000 words", shapeinspect("show", path), python(_GGUF, path), runs=3
    )
    assert faster >= 8


def test_a_small_safetensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.numpy import save_file

    path = str(tmp_path / "small.safetensors")
    save_file({"fc.weight": np.zeros((7, 5), np.float32), "fc.bias": np.zeros(7, np.float32)}, path)
    ours, bare = measure(shapeinspect("show", path), 9), measure(python("import json"), 9)
    extra = ours.seconds - bare.seconds
    with capsys.disabled():
        print(f"\nshow a small safetensors: {extra * 1000:.0f} ms over `import json`")
    assert extra <= 0.150
