"""Weights moved by the layouts into torch give the outputs that Flax gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from shapeinspect.layout.apply import to_common, to_native
from shapeinspect_flax.layouts import ROWS, bind


def _first(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(-1, 1)


def _last(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(1, -1)


def _run(name: str, x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    f = torch.nn.functional
    if name == "Dense":
        return f.linear(x, w["kernel"], w["bias"])
    if name == "DenseGeneral":
        return f.linear(x, w["kernel"], w["bias"]).unflatten(-1, (4, 5))
    if name == "DenseGeneralJoin":
        return f.linear(x.flatten(-2), w["kernel"], w["bias"])
    if name == "Embed":
        return f.embedding(x, w["embedding"])
    if name == "Conv1":
        return _last(f.conv1d(_first(x), w["kernel"], w["bias"]))
    if name == "Conv2":
        return _last(f.conv2d(_first(x), w["kernel"], w["bias"]))
    # torch stores a transposed kernel "i o kh kw"; the common convention is "o i kh kw".
    return _last(f.conv_transpose2d(_first(x), w["kernel"].transpose(0, 1), w["bias"], stride=(2, 1)))


@pytest.mark.parametrize(
    "name",
    [
        "Dense",
        "Conv1",
        "Conv2",
        "ConvTranspose",
        "ConvTransposeTurned",
        "DenseGeneral",
        "DenseGeneralJoin",
        "Embed",
    ],
)
def test_outputs_are_those_of_flax(facts: dict[str, Any], name: str) -> None:
    case = facts["outputs"][name]
    type_ = name.rstrip("12").replace("Turned", "(transpose_kernel)")
    weights = {}
    for role, numbers in case["params"].items():
        array = np.array(numbers, np.float32)
        layout = bind(type_, role, array.ndim)
        assert layout is not None
        weights[role] = torch.from_numpy(np.ascontiguousarray(to_common(layout, array)))
    given = torch.tensor(case["input"])
    output = _run(name, given, weights)
    assert output.shape == torch.tensor(case["output"]).shape
    assert torch.equal(output, torch.tensor(case["output"]))


def test_attention_is_the_same_with_its_own_names() -> None:
    # A head's rows stand together: (head d), the head first.
    kernel = np.arange(6 * 2 * 4).reshape(6, 2, 4)
    inward, outward = bind("DenseGeneralIn", "kernel", 3), bind("DenseGeneralOut", "kernel", 3)
    assert inward is not None
    assert outward is not None
    assert (to_common(inward, kernel)[1 * 4 + 3] == kernel[:, 1, 3]).all()
    assert (to_common(outward, kernel.transpose(1, 2, 0))[5] == kernel[5].reshape(8)).all()


def test_recurrent_kernels_are_turned() -> None:
    for row in ROWS:
        if "dense" in row.role and row.role.endswith("kernel"):
            gates = row.sizes.get("gate", 1)
            kernel = np.arange(5 * 2 * gates).reshape(5, 2 * gates)
            layout = bind(row.types, row.role, 2)
            assert layout is not None
            turned = kernel.reshape(5, gates, 2).transpose(1, 2, 0) if gates > 1 else kernel.T
            assert (to_common(layout, kernel) == turned).all()
        elif row.types in ("LSTMCell", "GRUCell") and row.role.endswith("kernel"):
            kernel = np.arange(3 * 5).reshape(3, 5)
            layout = bind(row.types, row.role, 2)
            assert layout is not None
            assert (to_common(layout, kernel) == kernel.T).all()
            assert (to_native(layout, kernel.T) == kernel).all()
