"""What quantizers wrote with torch.save, against their own matrices: ``tests/data/quantized/write.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import shapeinspect
from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Weight
from shapeinspect.render.totals import of_model

FOLDER = Path("tests/data/quantized_pickles").resolve()
#: Each file, and what a weight in it is called.
CASES = {
    f"{quantizer}_{bits}_{form}": f"int{bits}"
    for quantizer, several, forms in (
        ("hqq", (3, 4), ("states", "meta", "module")),
        ("quanto", (2, 4), ("state", "module")),
    )
    for bits in several
    for form in forms
}


def quantized(path: Path) -> dict[str, Weight]:
    model = shapeinspect.inspect(path).model
    weights = [weight for layer in model.layers for weight in layer.weights]
    return {weight.name.partition(".")[0]: weight for weight in weights if weight.quantization is not None}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_the_quantizer(case: str) -> None:
    expected = load_file(FOLDER / f"{case.rpartition('_')[0]}.safetensors")
    found = quantized(FOLDER / f"{case}.pt")
    assert found.keys() == expected.keys()
    for name, matrix in expected.items():
        weight = found[name]
        assert weight.size == matrix.size
        assert weight.quantization is not None
        assert weight.quantization.label.split()[0] == CASES[case]
        if case.startswith("quanto") and case.endswith("state") and name != "seen":
            # Its groups are stored, and not the shape of what they are groups of.
            assert set(weight.shape) == {UNKNOWN}
            assert weight.values is None
            continue
        assert weight.shape == matrix.shape
        assert weight.values is not None
        np.testing.assert_allclose(weight.values(), matrix, rtol=1e-5, atol=1e-6)
    totals = of_model(shapeinspect.inspect(FOLDER / f"{case}.pt").model)
    biases = sum(len(matrix) for matrix in expected.values())
    assert (totals.params, totals.unknown) == (sum(matrix.size for matrix in expected.values()) + biases, 0)


@pytest.mark.parametrize("name", ["tiles.pt", "tiles_flat.safetensors"])
def test_tiles_of_a_gpu_are_counted_and_not_read(name: str) -> None:
    (weight,) = quantized(FOLDER / name).values()
    assert (weight.shape, weight.size, weight.values) == ((20, 1000), 20_000, None)
    assert weight.quantization is not None
    assert weight.quantization.label == "int4 g32"
    assert of_model(shapeinspect.inspect(FOLDER / name).model).params == 20_020


def test_a_pickled_layer_of_packed_words_is_read_with_its_own_settings(tmp_path: Path) -> None:
    layer = torch.nn.Module()
    layer.bits, layer.group_size = 4, 32
    for role, shape in (("qweight", (8, 48)), ("qzeros", (2, 6))):
        layer.register_buffer(role, torch.ones(shape, dtype=torch.int32))
    layer.register_buffer("scales", torch.ones(2, 48))
    network = torch.nn.Sequential(QuantLinear.of(layer))
    torch.save(network, tmp_path / "model.pt")
    (weight,) = quantized(tmp_path / "model.pt").values()
    assert weight.shape == (64, 48)
    assert of_model(shapeinspect.inspect(tmp_path / "model.pt").model).params == 64 * 48


class QuantLinear(torch.nn.Module):
    """A quantizer's own layer, as far as a pickle tells."""

    @classmethod
    def of(cls, plain: torch.nn.Module) -> QuantLinear:
        made = cls()
        made.__dict__.update(plain.__dict__)
        return made


@pytest.mark.parametrize(
    ("rows", "scales"),
    [((16, 128), (5, 1)), ((16, 128), (32, 2)), ((16, 128), (32,))],
)
def test_groups_that_do_not_fit_are_unknown(rows: tuple[int, ...], scales: tuple[int, ...]) -> None:
    state = {
        "up.weight._data._data": torch.zeros(rows, dtype=torch.uint8),
        "up.weight._scale": torch.zeros(scales),
        "up.weight._shift": torch.zeros(scales),
    }
    model = shapeinspect.inspect(state).model
    (weight,) = (w for layer in model.layers for w in layer.weights if w.quantization is not None)
    assert (weight.size, weight.quantization.bits if weight.quantization else 0) == (None, None)
