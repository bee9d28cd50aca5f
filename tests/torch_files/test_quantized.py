"""What quantizers wrote, against their own dequantized matrices: see ``tests/data/quantized/write.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import shapeinspect
from shapeinspect.ir import Model, Weight
from shapeinspect.render.totals import of_model

FOLDER = Path("tests/data/quantized").resolve()
PLAIN = FOLDER / "plain.safetensors"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
#: Each case's label, and its scheme.
LABELS = {
    "bnb_fp4": "fp4 g64", "bnb_int8": "int8", "bnb_nf4_nested": "nf4 g64",
    "ct_float8": "float8_e4m3fn", "ct_int3": "int3", "ct_int4": "int4 g32", "ct_int4_zeros": "int4 g32",
    "ct_int8": "int8", "ct_mxfp4": "float4_e2m1fn g32", "ct_nvfp4": "float4_e2m1fn g16",
    "hqq_2_axis1": "int2 g32", "hqq_3_axis1": "int3 g32", "hqq_4_axis0": "int4", "hqq_4_axis1": "int4 g32",
    "mlx_3_affine": "int3 g32", "mlx_4_affine": "int4 g32", "mlx_8_affine": "int8 g32",
    "mlx_4_mxfp4": "float4_e2m1fn g32", "mlx_4_nvfp4": "float4_e2m1fn g16",
    "mlx_8_mxfp8": "float8_e4m3fn g32", "mxfp4": "float4_e2m1fn g32",
    "torchao_float8": "float8_e4m3fn", "torchao_int4": "int4 g32", "torchao_int8": "int8",
}  # fmt: skip
#: The quantizer computes these in 16 bits.
ROUNDED = ("ct_nvfp4", "ct_mxfp4")


def quantized(model: Model) -> dict[str, Weight]:
    """The quantized weights, by the part of their name that the quantizer did not add."""
    found = {}
    for weight in (weight for layer in model.layers for weight in layer.weights):
        if weight.quantization is not None:
            path, _, role = weight.name.rpartition(".")
            found[f"{path}.{role.removesuffix('_blocks')}" if "_blocks" in role else path] = weight
    return found


def numbers(weight: Weight) -> np.ndarray:
    assert weight.values is not None
    return weight.values()


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_the_quantizer(case: str) -> None:
    model = shapeinspect.inspect(FOLDER / case).model
    expected = load_file(FOLDER / case / "expected.safetensors")
    found = quantized(model)
    assert found.keys() == expected.keys()
    for name, matrix in expected.items():
        assert found[name].shape == matrix.shape
        close = {"rtol": 2**-7, "atol": 1e-4} if case in ROUNDED else {"rtol": 1e-5, "atol": 1e-7}
        np.testing.assert_allclose(numbers(found[name]), matrix, **close)
    biases = 30 if case == "mxfp4" else 0
    assert of_model(model).params == sum(matrix.size for matrix in expected.values()) + biases
    assert of_model(model).unknown == 0
    assert {weight.quantization.label for weight in found.values() if weight.quantization} == {LABELS[case]}


@pytest.mark.parametrize("case", [case for case in CASES if case != "mxfp4"])
def test_it_is_compared_and_written_by_its_numbers(case: str, tmp_path: Path) -> None:
    plain, expected = load_file(PLAIN), load_file(FOLDER / case / "expected.safetensors")
    for layer in shapeinspect.diff(PLAIN, FOLDER / case, values=True).layers:
        (pair,) = layer.weights
        largest = float(np.abs(plain[f"{layer.a}.weight"] - expected[str(layer.a)]).max())
        assert pair.figures is not None
        assert pair.figures.max_abs == pytest.approx(largest, rel=2**-6 if case in ROUNDED else 1e-5)
        assert any(why.startswith("its dequantized values differ by up to") for why in pair.why)
    output = tmp_path / "plain.safetensors"
    shapeinspect.normalize(FOLDER / case, output, keep_unknown=True)
    written = load_file(output)
    assert len(written) == len(expected)
    assert {tensor.dtype.name for tensor in written.values()} == {"float32"}
    assert sorted(tensor.shape for tensor in written.values()) == sorted(m.shape for m in expected.values())


def test_a_file_is_read_with_the_configuration_beside_it(tmp_path: Path) -> None:
    alone = shutil.copy(FOLDER / "mlx_4_affine" / "model.safetensors", tmp_path)
    hidden = shapeinspect.inspect(alone).model
    assert (of_model(hidden).params, of_model(hidden).unknown) == (0, 2)
    shutil.copy(FOLDER / "mlx_4_affine" / "config.json", tmp_path)
    told = shapeinspect.inspect(alone).model
    assert (of_model(told).params, of_model(told).unknown) == (16 * 64 + 24 * 128, 0)
    assert any("config.json beside the file" in note.text for note in told.notes)


def test_settings_of_single_layers_come_first(tmp_path: Path) -> None:
    three = load_file(FOLDER / "mlx_3_affine" / "model.safetensors")
    four = load_file(FOLDER / "mlx_4_affine" / "model.safetensors")
    mixed = {name: (three if name.startswith("up") else four)[name] for name in four}
    save_file(mixed, tmp_path / "model.safetensors", {"format": "mlx"})
    how = {"bits": 4, "group_size": 32, "up": {"bits": 3, "group_size": 32}}
    (tmp_path / "config.json").write_text(json.dumps({"quantization": how}))
    found = quantized(shapeinspect.inspect(tmp_path).model)
    labels = {name: weight.quantization.label for name, weight in found.items() if weight.quantization}
    assert labels == {"up": "int3 g32", "down": "int4 g32"}
    assert {name: weight.shape for name, weight in found.items()} == {"up": (16, 64), "down": (24, 128)}


def packed_rows(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack codes along the first axis into words of 32 bits, the lowest bits first."""
    stream = (codes[:, None, :] >> np.arange(bits)[:, None]) & 1
    words = stream.reshape(-1, 32, codes.shape[1]).astype(np.int64) << np.arange(32)[:, None]
    return words.sum(1).astype(np.uint32).view(np.int32)


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (4, 128), (3, 64), (2, 32), (8, None)])
@pytest.mark.parametrize("version", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("ordered", [True, False])
def test_gptq(bits: int, group: int | None, version: str, ordered: bool, tmp_path: Path) -> None:
    inputs, outputs, draw = 192, 32, np.random.default_rng(bits)
    size = group or inputs
    count = -(-inputs // size)
    codes = draw.integers(0, 1 << bits, (inputs, outputs))
    zeros = draw.integers(1, 1 << bits, (count, outputs))
    scales = draw.uniform(0.01, 0.02, (count, outputs)).astype(np.float16)
    groups = np.arange(inputs) // size
    groups = groups if ordered else draw.permutation(groups)
    stored = zeros - 1 if version == "gptq" else zeros
    tensors = {
        "q.qweight": packed_rows(codes, bits), "q.qzeros": packed_rows(stored.T, bits).T.copy(),
        "q.scales": scales, "q.g_idx": groups.astype(np.int32), "q.bias": np.ones(outputs, np.float16),
    }  # fmt: skip
    save_file(tensors, tmp_path / "model.safetensors")
    how = {"quant_method": "gptq", "bits": bits, "group_size": group or -1, "checkpoint_format": version}
    (tmp_path / "quantize_config.json").write_text(json.dumps(how))
    model = shapeinspect.inspect(tmp_path).model
    assert of_model(model).params == inputs * outputs + outputs
    (layer,) = model.layers
    assert (layer.kind, layer.attributes["in_features"]) == ("linear", inputs)
    weight = layer.weights[0]
    assert weight.type == (f"int{bits} g{group}" if group else f"int{bits}")
    wanted = (codes - zeros[groups]) * scales.astype(np.float32)[groups]
    np.testing.assert_allclose(numbers(weight), wanted, rtol=1e-6)
    assert not any("version of GPTQ" in note.text for note in model.notes)
    alone = shutil.copy(tmp_path / "model.safetensors", tmp_path / "alone.safetensors")
    (tmp_path / "quantize_config.json").unlink()
    model = shapeinspect.inspect(alone).model
    assert any("version of GPTQ" in note.text for note in model.notes)


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 24), (96, 40)])
def test_awq(inputs: int, outputs: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(inputs)
    codes = draw.integers(0, 16, (inputs, outputs))
    zeros = draw.integers(0, 16, (inputs // 32, outputs))
    scales = draw.uniform(0.01, 0.02, (inputs // 32, outputs)).astype(np.float16)

    def packed(values: np.ndarray) -> np.ndarray:
        eights = values.reshape(len(values), -1, 8)[:, :, [0, 2, 4, 6, 1, 3, 5, 7]].astype(np.uint32)
        return (eights << np.arange(0, 32, 4, dtype=np.uint32)).sum(2, dtype=np.uint32).view(np.int32)

    tensors = {"q.qweight": packed(codes), "q.qzeros": packed(zeros), "q.scales": scales}
    save_file(tensors, tmp_path / "model.safetensors")
    (layer,) = shapeinspect.inspect(tmp_path).model.layers
    weight = layer.weights[0]
    assert (weight.shape, weight.type) == ((inputs, outputs), "int4 g32")
    rows = np.arange(inputs) // 32
    wanted = (codes - zeros[rows]) * scales.astype(np.float32)[rows]
    np.testing.assert_allclose(numbers(weight), wanted, rtol=1e-6)


@pytest.mark.parametrize("shape", [(576, 256), (3, 192, 320)])
def test_float8_in_blocks_that_do_not_divide(shape: tuple[int, ...], tmp_path: Path) -> None:
    import ml_dtypes
    import torch
    from safetensors.torch import save_file as save

    draw = np.random.default_rng(len(shape))
    codes = draw.standard_normal(shape).astype(ml_dtypes.float8_e4m3fn)
    grid = (*shape[:-2], *(-(-length // 128) for length in shape[-2:]))
    scales = draw.uniform(0.5, 2, grid).astype(np.float32)
    stored = torch.from_numpy(codes.view(np.uint8)).view(torch.float8_e4m3fn)
    name = "mlp.down.weight" if len(shape) == 2 else "mlp.experts.gate_up_proj"
    save({name: stored, f"{name}_scale_inv": torch.from_numpy(scales)}, tmp_path / "model.safetensors")
    how = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": how}))
    model = shapeinspect.inspect(tmp_path).model
    assert of_model(model).params == codes.size
    ((weight),) = quantized(model).values()
    assert weight.type == "float8_e4m3fn 128×128"
    wide = np.repeat(np.repeat(scales, 128, -2), 128, -1)[..., : shape[-2], : shape[-1]]
    np.testing.assert_allclose(numbers(weight), codes.astype(np.float32) * wide, rtol=1e-6)


def test_what_does_not_fit_is_unknown_and_never_counted_as_it_is_packed(tmp_path: Path) -> None:
    tensors = {
        "a.qweight": np.zeros((5, 7), np.int32), "a.scales": np.zeros((2, 48), np.float16),
        "a.qzeros": np.zeros((2, 9), np.int32),
        "b.weight": np.zeros((6, 8), np.uint32), "b.scales": np.zeros((6, 2), np.float16),
        "b.biases": np.zeros((6, 2), np.float16),
        "c.weight_packed": np.zeros((6, 8), np.int32), "c.weight_scale": np.zeros((6, 3), np.float16),
        "c.weight_shape": np.asarray([-4, 1 << 40]),
    }  # fmt: skip
    save_file(tensors, tmp_path / "model.safetensors")
    model = shapeinspect.inspect(tmp_path).model
    totals = of_model(model)
    assert (totals.params, totals.unknown) == (0, 3)
    assert all(weight.values is None for weight in quantized(model).values())


def test_a_state_of_a_layer_that_torch_quantized_is_no_parameter(tmp_path: Path) -> None:
    import torch

    state = {"fc.weight": torch.ones(5, 7), "fc.scale": torch.tensor(1.0), "fc.zero_point": torch.tensor(0)}
    torch.save(state, tmp_path / "net.pt")
    assert of_model(shapeinspect.inspect(tmp_path / "net.pt").model).params == 35


@pytest.mark.parametrize("case", ["torchao_float8", "torchao_int4", "torchao_int8"])
def test_a_pickled_subclass_is_read_by_its_parts(case: str) -> None:
    expected = load_file(FOLDER / case / "expected.safetensors")
    found = quantized(shapeinspect.inspect(FOLDER / case / "model.pt").model)
    assert found.keys() == expected.keys()
    for name, matrix in expected.items():
        assert found[name].type == LABELS[case]
        np.testing.assert_allclose(numbers(found[name]), matrix, rtol=1e-5, atol=1e-7)


def test_schemes_whose_numbers_are_not_computed_tell_their_logical_shape(tmp_path: Path) -> None:
    tensors = {
        "a.q_weight": np.zeros((14, 48), np.int32), "a.q_scale": np.zeros((2, 6), np.int32),
        "a.q_scale_max": np.zeros(2, np.float16), "a.q_groups": np.zeros(4, np.int16),
        "a.q_invperm": np.zeros(96, np.int32),
        "b.codes": np.zeros((40, 7, 2), np.int16), "b.codebooks": np.zeros((2, 256, 1, 8), np.float16),
        "b.scales": np.zeros((40, 1, 1, 1), np.float16),
        "c.B": np.zeros((8, 96), np.int32), "c.s": np.zeros((1, 48), np.float16),
        "d.weight": np.zeros((56, 24), np.int8), "d.weight_scales": np.zeros(24, np.float16),
        "e.weight._data": np.zeros((10, 36), np.int8), "e.weight._scale": np.zeros((10, 1), np.float16),
    }  # fmt: skip
    save_file(tensors, tmp_path / "model.safetensors")
    model = shapeinspect.inspect(tmp_path / "model.safetensors").model
    found = {layer.path: next(w for w in layer.weights if w.quantization) for layer in model.layers}
    shapes = {"a": (96, 48), "b": (40, 56), "c": (128, 48), "d": (56, 24), "e": (10, 36)}
    assert {path: weight.shape for path, weight in found.items()} == shapes
    assert of_model(model).params == sum(rows * columns for rows, columns in shapes.values())
    assert {layer.kind for layer in model.layers if layer.path in "abcd"} == {"linear"}


def test_integers_of_a_method_that_is_not_known_are_unknown(tmp_path: Path) -> None:
    tensors = {"a.indices": np.zeros((12, 7), np.int32), "a.bias": np.zeros(24, np.float16)}
    save_file(tensors, tmp_path / "model.safetensors")
    assert of_model(shapeinspect.inspect(tmp_path).model).params == 12 * 7 + 24
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "vptq"}}))
    totals = of_model(shapeinspect.inspect(tmp_path).model)
    assert (totals.params, totals.unknown) == (24, 1)


def test_parts_that_do_not_fit_are_an_error_of_the_file(tmp_path: Path) -> None:
    tensors = load_file(FOLDER / "bnb_nf4_nested" / "model.safetensors")
    tensors["up.weight.absmax"] = tensors["up.weight.absmax"][:-1]
    save_file(tensors, tmp_path / "model.safetensors")
    found = quantized(shapeinspect.inspect(tmp_path).model)
    with pytest.raises(shapeinspect.ShapeInspectError, match="scales do not fit"):
        numbers(found["up"])
    assert numbers(found["down"]).shape == found["down"].shape


def test_a_shape_that_the_bytes_cannot_hold_is_not_believed(tmp_path: Path) -> None:
    told = {
        "_type": "Int4TilePackedTo4dTensor",
        "_data": {"block_size": [1, 32], "shape": [1 << 40, 1 << 20]},
    }
    tensors = {"q._weight_qdata": np.zeros((2, 3, 32, 4), np.int32), "q._weight_scale": np.zeros((2, 48))}
    save_file(tensors, tmp_path / "model.safetensors", {"q.weight": json.dumps(told)})
    totals = of_model(shapeinspect.inspect(tmp_path / "model.safetensors").model)
    assert (totals.params, totals.unknown) == (0, 1)


def test_torchs_own_quantized_tensors_are_dequantized_in_files_and_live(tmp_path: Path) -> None:
    import torch

    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(2))
    scales, zeros = torch.linspace(0.01, 0.03, 5), torch.arange(5) - 2
    state = {
        "a.weight": torch.quantize_per_tensor(weight, 0.03, 5, torch.quint8),
        "b.weight": torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8),
    }
    torch.save(state, tmp_path / "net.pt")
    for source in (tmp_path / "net.pt", state):
        found = quantized(shapeinspect.inspect(source).model)
        assert {name: part.type for name, part in found.items()} == {"a": "uint8", "b": "int8"}
        for name, part in found.items():
            np.testing.assert_allclose(numbers(part), state[f"{name}.weight"].dequantize(), atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_a_layer_that_torch_quantized_counts_its_weight_and_bias(tmp_path: Path) -> None:
    import torch

    net = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(torch.nn.Linear(5, 7)), {torch.nn.Linear}
    )
    torch.save(net.state_dict(), tmp_path / "net.pt")
    assert of_model(shapeinspect.inspect(tmp_path / "net.pt").model).params == 5 * 7 + 7


FLOAT8 = "float8_e4m3fn"
#: Files whose parts or settings contradict each other: shape and dtype, or numbers; the configuration.
HOSTILE = {
    "a scalar with several scales": ({"w": ((), FLOAT8), "w_scale": ((3,), "float32")}, {}),
    "blocks of more axes than a vector": (
        {"a.w": ((256,), FLOAT8), "a.w_scale": ((2,), "float32")},
        {"quant_method": "fp8", "weight_block_size": [128, 128]},
    ),
    "quanto's scalar with several scales": ({"w._data": ((), "int8"), "w._scale": ((3,), "float32")}, {}),
    "bits that are no number": (
        {"a.W_q": ((4, 6), "uint8"), "a.nbits": [np.nan], "a.scale": [1.0], "a.shape": [np.inf, 3.0]},
        {},
    ),
    "lengths that are no numbers": (
        {"a.w_packed": ((6, 8), "int32"), "a.w_scale": ((6, 1), "float32"), "a.w_shape": [np.nan, 3.0]},
        {},
    ),
    "groups that do not divide": ({"a.B": ((2, 96), "int32"), "a.s": ((77, 48), "float32")}, {}),
    "absurd bits and groups": (
        {"a.qweight": ((8, 48), "int32"), "a.scales": ((2, 48), "float32")},
        {"quant_method": "gptq", "bits": 10**30, "group_size": 10**30},
    ),
    "patterns that take long to match": (
        {f"{'a' * 150}.w_packed": ((6, 32), "int32"), f"{'a' * 150}.w_scale": ((6, 2), "float32")},
        {"quant_method": "gptq", "dynamic": {".*a" * 12 + "x": {"bits": 4}, "(a|a)" * 24 + "x": {"bits": 4}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_parts_that_contradict_each_other_are_read_as_far_as_they_go(name: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save

    stored, how = HOSTILE[name]
    tensors = {
        key: torch.tensor(part)
        if isinstance(part, list)
        else torch.zeros(part[0]).to(getattr(torch, part[1]))
        for key, part in stored.items()
    }
    save(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": how}))
    totals = of_model(shapeinspect.inspect(tmp_path).model)
    known = {"a scalar with several scales": 1, "blocks of more axes than a vector": 256}
    assert (totals.params, totals.unknown) == (known.get(name, 0), name not in known)


def test_no_group_is_assumed_for_what_states_neither_its_shape_nor_its_group(tmp_path: Path) -> None:
    tensors = {
        "a.weight_packed": np.zeros((6, 32), np.int32), "a.weight_scale": np.zeros((6, 2), np.float16)
    }  # fmt: skip
    save_file(tensors, tmp_path / "model.safetensors")
    (weight,) = quantized(shapeinspect.inspect(tmp_path).model).values()
    assert (weight.size, weight.values) == (None, None)


@pytest.mark.parametrize("parts", [(1, 30_000), (30_000,)])
def test_scales_of_another_shape_are_not_broadcast(parts: tuple[int, ...], tmp_path: Path) -> None:
    tensors = {
        "a.W_q": np.zeros((30_000, 1), np.uint8), "a.scale": np.ones(parts, np.float32),
        "a.zero": np.ones(parts, np.float32), "a.nbits": np.asarray(8), "a.axis": np.asarray(1),
        "a.shape": np.asarray([30_000, 1]),
    }  # fmt: skip
    save_file(tensors, tmp_path / "model.safetensors")
    (weight,) = quantized(shapeinspect.inspect(tmp_path).model).values()
    with pytest.raises(shapeinspect.ShapeInspectError, match="scales do not fit"):
        numbers(weight)


@pytest.mark.parametrize(
    ("target", "label"), [("torch.float8_e5m2", "float8_e5m2"), ("torch.int²", "unknown bits")]
)
def test_the_element_type_of_a_subclass_is_read_whole(target: str, label: str, tmp_path: Path) -> None:
    told = {"_type": "AffineQuantizedTensor", "_data": {"target_dtype": target, "shape": [1 << 62] * 9_999}}
    tensors = {"q._weight_qdata": np.zeros((2, 3), np.int8), "q._weight_scale": np.zeros((2, 1))}
    save_file(tensors, tmp_path / "model.safetensors", {"q.weight": json.dumps(told)})
    model = shapeinspect.inspect(tmp_path / "model.safetensors").model
    (how,) = (w.quantization for layer in model.layers for w in layer.weights if w.quantization)
    assert (how.label, how.bits) == (label, 8 if "float" in label else None)


@pytest.mark.parametrize(("tiles", "read"), [(0, True), (1, False), (3, False)])
def test_eight_bits_in_the_order_of_a_gpu_are_not_read_row_by_row(
    tiles: int, read: bool, tmp_path: Path
) -> None:
    tensors = {
        "q.weight": np.ones((5, 7), np.int8), "q.SCB": np.ones(5, np.float32),
        "q.weight_format": np.asarray(tiles, np.uint8),
    }  # fmt: skip
    save_file(tensors, tmp_path / "model.safetensors")
    (weight,) = quantized(shapeinspect.inspect(tmp_path).model).values()
    assert (weight.shape, weight.values is not None) == ((5, 7), read)


@pytest.mark.parametrize(
    ("pattern", "path", "bits"),
    [
        (r".*\.18\..*gate.*", "model.layers.18.mlp.gate_proj", 8),
        (r".*\.18\..*gate.*", "model.layers.17.mlp.gate_proj", 4),
        (r"model\.layers\.\d+\.mlp.(gate|up)_proj$", "model.layers.3.mlp.up_proj", 8),
        (r".*b+.*b", "abb", 8),
    ],
)  # fmt: skip
def test_patterns_of_layers(pattern: str, path: str, bits: int) -> None:
    from shapeinspect_torch.quantized.declared import Declared

    assert Declared({"bits": 4, "dynamic": {f"+:{pattern}": {"bits": 8}}}).whole("bits", path) == bits


@pytest.mark.parametrize(("name", "kind"), [("bnb_nf4_nested", "nf4 g64"), ("ct_int4", "int4 g32")])
def test_a_packed_weight_is_no_replaced_head_and_no_renamed_one(name: str, kind: str) -> None:
    found = shapeinspect.diff(FOLDER / name, PLAIN)
    assert found.refusal is not None
    assert found.refusal.causes == (
        f"the checkpoint stores 2 weights as {kind}, packed, and the model plain numbers: write those with "
        "shapeinspect normalize",
    )
