"""Every row of every table goes to the common convention and back, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import shapeinspect_keras.vocabulary.layouts as keras_rows
import shapeinspect_onnx.vocabulary.layouts as onnx_rows
import shapeinspect_torch.vocabulary.layouts as torch_rows
from shapeinspect.ir import Weight
from shapeinspect.layout import Row, Table, canonical
from shapeinspect.layout.apply import to_common, to_native
from shapeinspect.layout.pattern import parse

TABLES = {"torch": torch_rows.TABLE, "keras": keras_rows.TABLE, "onnx": onnx_rows.LAYOUTS}
PRIMES = (2, 3, 5, 7, 11, 13, 17)
ROWS = [
    pytest.param(table, row, rank, id=f"{name}-{row.types.split()[0]}-{row.role}-{rank}")
    for name, table in TABLES.items()
    for row in table.rows
    for rank in ((1, 2, 3) if "*" in row.native else (0,))
]


def _shape(table: Table, row: Row, rank: int, *, equal: bool) -> Weight:
    """Make a weight for a row: lengths that all differ, or all the same (but those that a row fixes)."""
    names = parse(row.native).axes
    ndim = len(names) - 1 + rank if rank else len(names)
    first = row.types.split()[0]
    fixed = {axis: len(native.split()) for axis, native, _ in row.orders}
    fixed |= {axis: len(entries) for axis, entries in row.splits} | dict(row.sizes)
    told = {"g": 3, "o": 3}
    bound = table.bind(first, row.role, ndim, {key: size for key, size in told.items() if key not in fixed})
    assert bound is not None
    primes = iter(PRIMES)
    lengths = {}
    for name in parse(bound.native).names:
        lengths[name] = fixed.get(name) or dict(bound.sizes).get(name) or (3 if equal else next(primes))
    shape = []
    for axis in parse(bound.native).axes:
        length = 1
        for name in axis:
            length *= lengths[name]
        shape.append(length)
    return Weight("w", row.role, tuple(shape), layout=bound)


@pytest.mark.parametrize("equal", [False, True], ids=["differ", "equal"])
@pytest.mark.parametrize(("table", "row", "rank"), ROWS)
def test_there_and_back(table: Table, row: Row, rank: int, equal: bool) -> None:
    weight = _shape(table, row, rank, equal=equal)
    layout, shape = weight.layout, tuple(int(str(length)) for length in weight.shape)
    assert layout is not None
    array = np.random.default_rng(1).standard_normal(shape)
    common = to_common(layout, array)
    np.testing.assert_array_equal(np.sort(common.ravel()), np.sort(array.ravel()))
    np.testing.assert_array_equal(to_native(layout, common, shape), array)
    tensor = torch.as_tensor(array)
    moved = to_common(layout, tensor)
    np.testing.assert_array_equal(moved.numpy(), common)
    assert torch.equal(to_native(layout, moved, shape), tensor)
    if layout.slot and "[" not in layout.slot:
        held = Weight("w", row.role, shape, layout=layout, values=lambda: array)
        values = {slot: reader() for slot, reader in canonical.read([held]).items()}
        assert values
        np.testing.assert_array_equal(canonical.write(layout, shape, values), array)


@pytest.mark.parametrize("name", TABLES)
def test_no_row_is_hidden_by_an_earlier_one(name: str) -> None:
    seen: set[tuple[str, str, int]] = set()
    for row in TABLES[name].rows:
        rank = -1 if "*" in row.native else len(parse(row.native).axes)
        for kind in row.types.split():
            assert (kind, row.role, rank) not in seen, row
            seen.add((kind, row.role, rank))
