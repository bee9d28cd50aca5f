"""Every letter that is printed is true: held against what changes when the input changes.

An axis is the batch if a changed sample changes its own place along it and no other; it is the height if what
a changed row of the picture changes moves along it with the row, and not with the column. onnxruntime
computes every value of exported networks of six kinds; the letters come from the files alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect.api.report import inspect
from shapeinspect.ir import Model

#: The sample that is changed, and the rows (or columns) of the picture, in parts of its length.
_SAMPLE = 1
_PLACES = (0.2, 0.8)


def _unet() -> tuple[Any, tuple[Any, ...]]:
    import torch
    from torch import nn

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.deep = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 10, 3, 2, 1)
            self.norm, self.up, self.head = (
                nn.BatchNorm2d(10),
                nn.ConvTranspose2d(10, 7, 2, 2),
                nn.Conv2d(13, 5, 1),
            )

        def forward(self, x: Any) -> Any:
            a = torch.relu(self.down(x))
            b = self.up(torch.relu(self.norm(self.deep(a))))
            c = self.head(torch.cat([a, b], 1))
            return c, nn.functional.interpolate(c, scale_factor=2.0).transpose(2, 3).contiguous()

    return UNet(), (torch.zeros(3, 3, 12, 16),)


def _vit() -> tuple[Any, tuple[Any, ...]]:
    import torch
    from torch import nn

    class ViT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.token = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
            self.place = nn.Parameter(torch.randn(1, 13, 8))
            self.query, self.fc, self.norm = nn.Linear(8, 8), nn.Linear(8, 9), nn.LayerNorm(8)

        def forward(self, x: Any) -> Any:
            x = self.patch(x).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
            mixed = (self.query(tokens) @ tokens.transpose(1, 2)).softmax(-1) @ tokens
            return self.fc(self.norm(mixed)[:, 0]), tokens[:, 1:]

    return ViT(), (torch.zeros(5, 3, 12, 16),)


def _audio() -> tuple[Any, tuple[Any, ...]]:
    import torch
    from torch import nn

    class Audio(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gru, self.fc = (
                nn.Conv1d(1, 6, 5, 3),
                nn.GRU(6, 7, batch_first=True),
                nn.Linear(7, 11),
            )

        def forward(self, x: Any) -> Any:
            return self.fc(self.gru(torch.relu(self.conv(x.unsqueeze(1))).transpose(1, 2))[0])

    return Audio(), (torch.zeros(4, 50),)


def _branches() -> tuple[Any, tuple[Any, ...]]:
    import torch
    from torch import nn

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.conv, self.number = nn.Embedding(30, 10), nn.Conv2d(3, 12, 3), nn.Linear(7, 9)
            self.out = nn.Linear(10 + 12 + 9, 4)

        def forward(self, ids: Any, picture: Any, numbers: Any) -> Any:
            a = self.words(ids).mean(1)
            b = torch.relu(self.conv(picture)).mean((2, 3))
            return self.out(torch.cat([a, b, torch.relu(self.number(numbers))], 1))

    inputs = (torch.zeros(3, 13, dtype=torch.long), torch.zeros(3, 3, 11, 14), torch.zeros(3, 7))
    return Branches(), inputs


def _clips() -> tuple[Any, tuple[Any, ...]]:
    import torch
    from torch import nn

    class Clips(nn.Module):
        """Every frame is a picture of its own: the convolution's batch is not the model's."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gru = nn.Conv2d(3, 6, 3), nn.GRU(6, 8, batch_first=True)

        def forward(self, x: Any) -> Any:
            n, t = x.shape[:2]
            frames = torch.relu(self.conv(x.reshape(n * t, *x.shape[2:]))).mean((2, 3))
            return self.gru(frames.reshape(n, t, -1))[0]

    return Clips(), (torch.zeros(2, 4, 3, 9, 11),)


def _frames() -> tuple[Any, tuple[Any, ...]]:
    import torch
    from torch import nn

    class Frames(nn.Module):
        """The frames of several clips come as one batch, which the network takes apart."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gru = nn.Conv2d(3, 6, 3), nn.GRU(6, 8, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.gru(torch.relu(self.conv(x)).mean((2, 3)).reshape(2, 5, 6))[0]

    return Frames(), (torch.zeros(10, 3, 9, 11),)


NETWORKS: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {
    "unet": _unet, "vit": _vit, "audio": _audio, "branches": _branches, "clips": _clips,
    "frames": _frames,
}  # fmt: skip


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, _Runs]:
    """The model as read from its file, and onnxruntime with every value as an output."""
    import torch

    torch.manual_seed(7)
    network, inputs = NETWORKS[request.param]()
    path = tmp_path_factory.mktemp("letters") / f"{request.param}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network.eval(), inputs, path, dynamo=False, opset_version=17)
    return inspect(path).model, _Runs(path)


class _Runs:
    """Runs a file with all of its values, and tells what a change of the input changes."""

    def __init__(self, path: Path) -> None:
        import onnx
        import onnxruntime

        proto = onnx.load(path)
        made = [name for node in proto.graph.node for name in node.output if name]
        have = {value.name for value in proto.graph.output}
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made if name not in have)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
        rng = np.random.default_rng(5)
        self.inputs = {
            value.name: rng.integers(1, 25, value.shape) if "int64" in value.type
            else rng.standard_normal(value.shape).astype(np.float32)
            for value in self.session.get_inputs()
        }  # fmt: skip
        self.names = [value.name for value in self.session.get_outputs()]
        self.before = self._run(self.inputs)

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {**inputs, **dict(zip(self.names, self.session.run(self.names, dict(inputs)), strict=True))}

    def changed(self, name: str, at: tuple[Any, ...]) -> dict[str, Any]:
        """Return where each value changes, as amounts, when one input changes at a place."""
        inputs = {key: array.copy() for key, array in self.inputs.items()}
        inputs[name][at] = (
            (inputs[name][at] + 3) % 29 if inputs[name].dtype == np.int64 else inputs[name][at] + 3
        )
        after = self._run(inputs)
        return {
            key: np.abs(np.asarray(after[key], dtype=np.float64) - np.asarray(old, dtype=np.float64))
            for key, old in self.before.items()
            if np.shape(old) == np.shape(after[key])
        }


def _along(change: Any, axis: int) -> Any:
    """Return how much changes at each place of an axis."""
    return change.sum(axis=tuple(other for other in range(change.ndim) if other != axis))


def _labeled(model: Model, letter: str) -> list[tuple[str, int]]:
    return [
        (name, axis)
        for name, value in model.values.items()
        for axis, label in enumerate(value.axes or ())
        if label == letter
    ]


def test_the_batch_is_the_batch(case: tuple[Model, _Runs]) -> None:
    model, runs = case
    changes = [runs.changed(name, (_SAMPLE,)) for name in runs.inputs]
    checked, wrong = 0, []
    for name, axis in _labeled(model, "N"):
        moved = [_along(change[name], axis) for change in changes if name in change and change[name].any()]
        checked += bool(moved)
        if moved and not any(set(np.flatnonzero(places)) == {_SAMPLE} for places in moved):
            wrong.append((name, axis, model.values[name].shape))
    assert wrong == []
    assert checked


@pytest.mark.parametrize(("letter", "own"), [("H", 2), ("W", 3)])
def test_height_and_width_are_those_of_the_picture(case: tuple[Model, _Runs], letter: str, own: int) -> None:
    model, runs = case
    pictures = [name for name, array in runs.inputs.items() if array.ndim == 4]
    wrong = []
    for picture in pictures:
        lengths = runs.inputs[picture].shape
        for axis_changed in (2, 3):
            low, high = (
                runs.changed(picture, (*(slice(None),) * axis_changed, int(part * lengths[axis_changed])))
                for part in _PLACES
            )
            for name, axis in _labeled(model, letter):
                if name not in low or not low[name].any():
                    continue
                start, end = (_center(_along(change[name], axis)) for change in (low, high))
                length = low[name].shape[axis]
                moves = (end - start) / length > 0.3
                stays = abs(end - start) / length < 0.2
                if not (moves if axis_changed == own else stays):
                    wrong.append((name, axis, axis_changed, start, end, length))
    assert wrong == []


def _center(amounts: Any) -> float:
    return float((amounts * np.arange(len(amounts))).sum() / amounts.sum())


def test_axes_flattened_into_one_are_as_long_as_their_parts(case: tuple[Model, _Runs]) -> None:
    """A class token among the patches, a mean over them, a part of them: none of these is (H W)."""
    model, _ = case
    known: dict[str, set[int]] = {}
    for value in model.values.values():
        for label, length in zip(value.axes or (), value.shape or (), strict=False):
            if label and isinstance(length, int):
                known.setdefault(label, set()).add(length)
    for label, lengths in known.items():
        parts = label.strip("()").split()
        if len(parts) > 1:
            products = {1}
            for part in parts:
                products = {product * length for product in products for length in known[part]}
            assert lengths <= products, label
            assert len(lengths) == 1, (label, lengths)
