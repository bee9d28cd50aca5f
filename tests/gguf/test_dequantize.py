"""The numbers of quantized blocks against those of ggml's own package; any bytes are a valid block."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

import shapeinspect
from shapeinspect_gguf.dequantize import DEQUANTIZE

#: Where a block has its 16-bit floats: a random one would often be no number.
SCALES = {
    "Q4_1": (0, 2), "Q5_1": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2),
    "Q6_K": (208,), "TQ1_0": (52,), "TQ2_0": (64,), "MXFP4": (), "NVFP4": (),
}  # fmt: skip


def written(path: Path, name: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write a tensor of random blocks; return its bytes and its numbers."""
    kind = gguf.GGMLQuantizationType[name]
    values, nbytes = gguf.GGML_QUANT_SIZES[kind]
    data = np.random.default_rng(seed).integers(0, 256, (rows, 3 * nbytes), np.uint8)
    blocks = data.reshape(-1, nbytes)
    for start in SCALES.get(name, (0,)):
        blocks[:, start : start + 2] = np.frombuffer(np.float16(0.03125 + seed).tobytes(), np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = 120 + seed
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("blk.0.ffn_up.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    numbers = gguf.dequantize(data, kind)
    assert numbers.shape == (rows, 3 * values)
    return data, numbers


@pytest.mark.parametrize("name", DEQUANTIZE)
@pytest.mark.parametrize("rows", [2, 5])
def test_every_type_that_can_be_dequantized(name: str, rows: int, tmp_path: Path) -> None:
    path = tmp_path / "one.gguf"
    data, numbers = written(path, name, rows, rows)
    (layer,) = shapeinspect.inspect(path).model.layers
    (weight,) = layer.weights
    how = weight.quantization
    assert how is not None
    assert (weight.shape, weight.size, weight.nbytes) == (numbers.shape, numbers.size, data.nbytes)
    assert (how.label, how.packing and how.packing.shape) == (name, data.shape)
    assert weight.values is not None
    np.testing.assert_allclose(weight.values(), numbers, rtol=2e-6, atol=1e-30)


def test_what_needs_a_code_book_is_counted_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "one.gguf"
    _, numbers = written(path, "IQ2_XXS", 3, 1)
    (layer,) = shapeinspect.inspect(path).model.layers
    (weight,) = layer.weights
    assert (weight.size, weight.values) == (numbers.size, None)


def test_a_quantized_file_is_compared_and_normalized_by_its_numbers(tmp_path: Path) -> None:
    plain = np.random.default_rng(3).standard_normal((6, 64)).astype(np.float32)
    paths = {}
    for name in ("F32", "Q8_0"):
        kind = gguf.GGMLQuantizationType[name]
        paths[name] = tmp_path / f"{name}.gguf"
        writer = gguf.GGUFWriter(paths[name], "llama")
        writer.add_block_count(1)
        writer.add_tensor("blk.0.ffn_up.weight", gguf.quantize(plain, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    restored = gguf.dequantize(
        gguf.quantize(plain, gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0
    )
    (pair,) = shapeinspect.diff(paths["F32"], paths["Q8_0"], values=True).layers
    largest = float(np.abs(plain - restored).max())
    assert pair.weights[0].figures is not None
    assert pair.weights[0].figures.max_abs == pytest.approx(largest)
    assert f"its dequantized values differ by up to {largest:.3g}" in pair.weights[0].why
    output = tmp_path / "out.safetensors"
    shapeinspect.normalize(paths["Q8_0"], output)
    (weight,) = (weight for layer in shapeinspect.inspect(output).model.layers for weight in layer.weights)
    assert weight.values is not None
    np.testing.assert_array_equal(weight.values(), restored)
