"""Networks that onnxruntime's optimizers rewrote: every value has the shape that onnxruntime computes.

Before onnxruntime's own operators had rows, 222 of the 442 values of these files were unknown.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.transformers.optimizer import optimize_model
from torch import nn

import shapeinspect

LENGTHS = {"b": 3, "t": 9, "h": 37, "w": 45}
#: Products of one sample, by hand: four projections, two products of attention, the two of the MLP, twice.
ENCODER_MACS = "128*b*t*t + 14336*b*t"


class Block(nn.Module):
    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 48), nn.Linear(48, width)
        self.heads = heads

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + mask
        seen = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(x.shape)
        x = self.norm1(self.o(seen) + x)
        return self.norm2(self.down(nn.functional.gelu(self.up(x))) + x)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(100, 32), nn.Embedding(20, 32), nn.Embedding(2, 32)
        self.norm = nn.LayerNorm(32)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.register_buffer("positions", torch.arange(20)[None])

    def forward(self, ids: torch.Tensor, seen: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        x = self.words(ids) + self.kinds(kinds) + self.places(self.positions[:, : ids.shape[1]])
        x = self.norm(x)
        mask = (1.0 - seen[:, None, None, :].float()) * -10000.0
        for block in self.blocks:
            x = block(x, mask)
        return x


def _convolutions() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 48, 3, padding=1), nn.SiLU(), nn.Conv2d(48, 48, 3, padding=1, groups=48)),
        *(nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10), nn.GELU()),
    )


def _exported(
    net: nn.Module, names: list[str], feed: tuple[Any, ...], axes: dict[int, str], path: Path
) -> None:
    torch.manual_seed(0)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.1)  # the exporter would store equal norms once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its successor, and traces Python numbers
        torch.onnx.export(
            net.eval(), feed, str(path), dynamo=False, opset_version=17, input_names=names,
            output_names=["y"], dynamic_axes=dict.fromkeys(names, axes),
        )  # fmt: skip


def _levels(source: Path, folder: Path) -> dict[str, Path]:
    """Let a session of each level write what it optimized."""
    found = {"exported": source}
    level = onnxruntime.GraphOptimizationLevel
    for name, value in (("extended", level.ORT_ENABLE_EXTENDED), ("all", level.ORT_ENABLE_ALL)):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = value
        options.log_severity_level = 4
        found[name] = folder / f"{source.stem}_{name}.onnx"
        options.optimized_model_filepath = str(found[name])
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    folder = tmp_path_factory.mktemp("optimized")
    encoder, convolutions = folder / "encoder.onnx", folder / "convolutions.onnx"
    ids = torch.ones(2, 7, dtype=torch.long)
    _exported(Encoder(), ["ids", "seen", "kinds"], (ids, ids, ids * 0), {0: "b", 1: "t"}, encoder)
    _exported(_convolutions(), ["x"], (torch.rand(2, 3, 33, 41),), {0: "b", 2: "h", 3: "w"}, convolutions)
    found = {"encoder": _levels(encoder, folder), "convolutions": _levels(convolutions, folder)}
    logging.disable(logging.WARNING)
    fused = optimize_model(str(encoder), "bert", num_heads=4, hidden_size=32, opt_level=0)
    logging.disable(logging.NOTSET)
    found["encoder"]["fused"] = folder / "encoder_fused.onnx"
    fused.save_model_to_file(str(found["encoder"]["fused"]))
    return found


def _real(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every value that onnxruntime computes."""
    model = onnx.load(path)
    known = {entry.name for entry in (*model.graph.output, *model.graph.initializer)}
    for node in model.graph.node:
        made = [name for name in node.output if name and name not in known]
        if all(name in known and name != "y" for name in node.input):
            known.update(made)  # a constant belongs to the op that reads it
        else:
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    feed = {}
    for entry in model.graph.input:
        kind = entry.type.tensor_type
        shape = [dim.dim_value or LENGTHS[dim.dim_param] for dim in kind.shape.dim]
        feed[entry.name] = np.ones(shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [entry.name for entry in session.get_outputs()]
    return {name: array.shape for name, array in zip(names, session.run(names, feed), strict=True)}


Length = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("net", "level"),
    [
        *(("encoder", level) for level in ("exported", "extended", "all", "fused")),
        *(("convolutions", level) for level in ("exported", "extended", "all")),
    ],
)
def test_every_value_is_that_of_onnxruntime(net: str, level: str, files: dict[str, dict[str, Path]]) -> None:
    path = files[net][level]
    report = shapeinspect.inspect(path)
    data = report.to_dict()
    real, seen = _real(path), set()
    for layer in data["layers"]:
        assert layer["kind"] != "unknown", layer["type"]
        for value in (value for call in layer["calls"] for value in call["outputs"] if value):
            if value["name"] in real:
                seen.add(value["name"])
                ours = [
                    eval(length, {"max": max, "min": min}, dict(LENGTHS))  # our own formula
                    if isinstance(length, str)
                    else length
                    for length in value["shape"]
                ]
                assert tuple(ours) == real[value["name"]], (layer["path"], layer["type"])
    assert len(seen) == len(real)
    before = shapeinspect.inspect(files[net]["exported"]).to_dict()["totals"]
    assert data["totals"]["macs"] == before["macs"]
    assert not data["totals"]["macs_unknown"]
    if net == "encoder":
        assert data["totals"]["macs"] == ENCODER_MACS
        assert data["totals"]["params"] == before["params"] == sum(p.numel() for p in Encoder().parameters())
