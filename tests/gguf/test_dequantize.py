"""The numbers of quantized blocks against those of ggml's own package; any bytes are a valid block."""

from __future__ import annotations

import struct
import sys
import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest

import shapeinspect
from shapeinspect.errors import MissingDependencyError
from shapeinspect.sources.source import Source
from shapeinspect_gguf import values
from shapeinspect_gguf.blocks import BLOCKS
from shapeinspect_gguf.code_books import CODE_BOOKS
from shapeinspect_gguf.dequantize import DEQUANTIZE
from shapeinspect_gguf.reader import Tensor

#: Where a block has its 16-bit floats: a random one would often be no number.
SCALES = {
    "Q4_1": (0, 2), "Q5_1": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2),
    "Q6_K": (208,), "TQ1_0": (52,), "TQ2_0": (64,), "MXFP4": (), "NVFP4": (), "IQ1_M": (),
}  # fmt: skip
#: The type of which ggml and its package have blocks of different sizes.
UNKNOWN = ("Q8_1",)


def eight_bits(block: bytes) -> list[float]:
    """Return ``d * qs[i]`` of ``block_q8_K``: a float, 256 integers, and sums of them."""
    scale, *codes = struct.unpack("<f256b32x", block)
    return [scale * code for code in codes]


def signs(block: bytes) -> list[float]:
    """Return ``d`` or ``-d`` for each bit of ``block_q1_0``, the lowest one of a byte first."""
    scale, *words = struct.unpack("<e16B", block)
    return [scale if word >> bit & 1 else -scale for word in words for bit in range(8)]


#: Those for which ggml's package has no dequantizer.
#: Source: ``dequantize_row_q8_K`` and ``dequantize_row_q1_0`` of ``ggml/src/ggml-quants.c``.
BY_HAND = {"Q8_K": eight_bits, "Q1_0": signs}


def written(path: Path, name: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write a tensor of random blocks; return its bytes and its numbers."""
    kind = gguf.GGMLQuantizationType[name]
    values, nbytes = gguf.GGML_QUANT_SIZES[kind]
    data = np.random.default_rng(seed).integers(0, 256, (rows, 3 * nbytes), np.uint8)
    blocks = data.reshape(-1, nbytes)
    for start in SCALES.get(name, (0,)):
        blocks[:, start : start + 2] = np.frombuffer(np.float16(0.03125 + seed).tobytes(), np.uint8)
    if name == "Q8_K":
        blocks[:, :4] = np.frombuffer(np.float32(0.03125 + seed / 7).tobytes(), np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = 120 + seed
    if name == "IQ1_M":
        # Its float is in the highest bits of four words.
        scale = np.float16(0.03125 + seed).view(np.uint16)
        for word in range(4):
            high = blocks[:, 49 + 2 * word]
            high[:] = (high & 15) | (((int(scale) >> 4 * word) & 15) << 4)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tensor("blk.0.ffn_up.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if name in UNKNOWN:
        return data, np.empty((rows, 3 * values), np.float32)
    if name in BY_HAND:
        numbers = np.asarray([BY_HAND[name](block.tobytes()) for block in blocks], np.float32).reshape(
            rows, -1
        )
    else:
        numbers = gguf.dequantize(data, kind)
    assert numbers.shape == (rows, 3 * values)
    assert np.isfinite(numbers).all()
    return data, numbers


def test_every_type_of_blocks_has_numbers_or_is_unknown() -> None:
    blocks = {block.dtype for block in BLOCKS.values() if block.values > 1}
    assert blocks == {*DEQUANTIZE, *CODE_BOOKS, *UNKNOWN}
    for name in (*UNKNOWN, *BY_HAND):
        kind = gguf.GGMLQuantizationType[name]
        with pytest.raises(NotImplementedError):
            gguf.dequantize(np.zeros((1, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8), kind)


@pytest.mark.parametrize("name", [*DEQUANTIZE, *sorted(CODE_BOOKS)])
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


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_dequantizes_is_counted_and_not_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "one.gguf"
    data, numbers = written(path, name, 3, 1)
    (layer,) = shapeinspect.inspect(path).model.layers
    (weight,) = layer.weights
    assert (weight.shape, weight.nbytes, weight.values) == (numbers.shape, data.nbytes, None)
    difference = shapeinspect.diff(path, path, values=True)
    assert difference.layers[0].weights[0].why == ("its values cannot be read, so they are not compared",)
    assert not difference.same
    assert "and so are their values" not in difference.verdict
    assert shapeinspect.diff(path, path).same


def test_code_books_of_another_byte_order_are_not_read() -> None:
    block = next(block for block in BLOCKS.values() if block.dtype == "IQ2_XXS")
    tensor = Tensor("w", (3, 256), 16, block, 64, 3 * block.nbytes)
    assert values.reader(Source("m.gguf"), ">", tensor) is None


@pytest.mark.parametrize("name", ["Q4_0", "IQ3_S"])
def test_a_tensor_is_dequantized_piece_by_piece(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.gguf"
    data, numbers = written(path, name, 5, 2)
    monkeypatch.setattr(values, "_BYTES", data.nbytes // 4)
    monkeypatch.setattr(values, "_NUMBERS", 2 * numbers.shape[1] // 3)
    (layer,) = shapeinspect.inspect(path).model.layers
    read = layer.weights[0].values
    assert read is not None
    np.testing.assert_allclose(read(), numbers, rtol=2e-6)


def test_dequantizing_takes_little_more_memory_than_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "one.gguf"
    written(path, "IQ2_XXS", 8000, 1)  # 6 million numbers
    (layer,) = shapeinspect.inspect(path).model.layers
    read = layer.weights[0].values
    assert read is not None
    tracemalloc.start()
    try:
        size = read().nbytes
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * size


def test_without_the_package_of_code_books_the_way_to_get_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, output = tmp_path / "one.gguf", tmp_path / "out.safetensors"
    written(path, "IQ2_S", 3, 1)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(
        MissingDependencyError, match=r"(?s)IQ2_S .* gguf.*pip install 'shapeinspect\[gguf\]'"
    ):
        shapeinspect.normalize(path, output)
    assert not output.exists()
    (pair,) = shapeinspect.diff(path, path, values=True).layers
    assert "pip install 'shapeinspect[gguf]'" in pair.weights[0].why[0]


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
    assert pair.weights[0].status == "same"
    found = f"its dequantized values differ by up to {largest:.3g}, no more than rounding to Q8_0 explains"
    assert found in pair.weights[0].why
    output = tmp_path / "out.safetensors"
    shapeinspect.normalize(paths["Q8_0"], output)
    (weight,) = (weight for layer in shapeinspect.inspect(output).model.layers for weight in layer.weights)
    assert weight.values is not None
    np.testing.assert_array_equal(weight.values(), restored)
