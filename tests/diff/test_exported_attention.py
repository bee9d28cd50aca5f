"""An attention against its export, which has one product for query, key and value, or one for each.

Before, the attention was only in A and its products only in B. The forwards of torch and onnxruntime say what
is right.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import shapeinspect

X = torch.rand(2, 4, 7, generator=torch.Generator().manual_seed(3))


class Net(nn.Module):
    """N2 T4 E7: two attentions of width 12, between two linear layers."""

    def __init__(self, *, crossed: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.crossed = crossed
        self.first = nn.Linear(7, 12)
        self.blocks = nn.ModuleList(nn.MultiheadAttention(12, 3, bias, batch_first=True) for _ in range(2))
        self.last = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            keys = x.flip(1) if self.crossed else x
            x = block(x, keys, keys * 2 if self.crossed else keys, need_weights=False)[0]
        return self.last(x)


def net(seed: int, **settings: bool) -> Net:
    torch.manual_seed(seed)
    module = Net(**settings).eval()
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    return module


def exported(module: nn.Module, path: Path, example: torch.Tensor = X) -> Path:
    torch.onnx.export(module, (example,), str(path), dynamo=False)
    return path


def loaded(source: Any, target: Any, path: Path, **given: Any) -> dict[str, Any]:
    written = shapeinspect.normalize(source, path, like=target, script=True, strict=True, **given)
    assert written.script is not None
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(written.script, "load.py", "exec"), space)  # the script that a user runs
    return space


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("crossed", [False, True])
def test_an_attention_is_the_products_of_its_export(crossed: bool, bias: bool, tmp_path: Path) -> None:
    module = net(5, crossed=crossed, bias=bias)
    path = exported(module, tmp_path / "net.onnx")
    found = shapeinspect.diff(module, path, input_a=(2, 4, 7), values=True)
    assert found.same, str(found)
    assert len(found.layers) == 4

    with torch.no_grad():
        weight = module.blocks[1].in_proj_weight  # type: ignore[union-attr]  # an attention
        weight[:12] = weight[:12].flip(0)  # type: ignore[index]
    found = shapeinspect.diff(module, path, input_a=(2, 4, 7), values=True)
    (wrong,) = [pair for pair in found.layers if pair.status != "same"]
    assert wrong.a == "blocks.1"
    assert [weight.slot for weight in wrong.weights if weight.status != "same"] == ["q.weight"]


def test_the_weights_are_moved_in_both_directions(tmp_path: Path) -> None:
    source, target = net(5), net(6)
    path = exported(source, tmp_path / "net.onnx")
    loaded(path, target, tmp_path / "to_torch", input_like=(2, 4, 7))["load"](target)
    assert torch.equal(source(X), target(X))

    import onnx

    other = net(7)
    space = loaded(other, path, tmp_path / "to_onnx", input=(2, 4, 7))
    onnx.save(space["load"](onnx.load(path)), tmp_path / "ported.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "ported.onnx"))
    (got,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    np.testing.assert_allclose(got, other(X).detach().numpy(), atol=1e-6)


def test_the_layers_of_an_encoder_are_those_of_its_export(tmp_path: Path) -> None:
    torch.manual_seed(5)
    layer = nn.TransformerEncoderLayer(12, 3, 20, batch_first=True)
    module, example = nn.TransformerEncoder(layer, 2).eval(), torch.rand(2, 4, 12)
    path = exported(module, tmp_path / "encoder.onnx", example)
    found = shapeinspect.diff(module, path, input_a=(2, 4, 12), values=True)
    assert found.same, str(found)
    assert len(found.layers) == 10
