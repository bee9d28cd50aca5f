"""What the PyTorch networks share: how one is judged, and the lengths that are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from fit_judge import Shapes, Subject
from torch import Tensor, nn

WHOLE = torch.int64


def subject(model: nn.Module, *fed: tuple[int, ...], whole: tuple[int, ...] = ()) -> Subject:
    """Return a module with the shapes that `fit` is given; the inputs in `whole` hold integers."""
    model.eval()

    def run(shapes: Shapes) -> bool:
        inputs = [
            torch.zeros(shape, dtype=WHOLE if index in whole else torch.float32)
            for index, shape in enumerate(shapes)
        ]
        try:
            with torch.no_grad():
                model(*inputs)
        except Exception:  # noqa: BLE001  # whatever the model or torch raises is a refusal
            return False
        return True

    texts = [
        ",".join(map(str, shape)) + (":int64" if index in whole else "") for index, shape in enumerate(fed)
    ]
    return Subject(model, texts, run)


class Code(nn.Module):
    """A module with layers, and a function that calls them."""

    def __init__(self, forward: Callable[..., Any], **layers: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.code = forward

    def forward(self, x: Tensor, y: Tensor | None = None, z: Tensor | None = None) -> Any:
        return self.code(self, *(tensor for tensor in (x, y, z) if tensor is not None))


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))


SMALL = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 20, 24, 25, 31, 32, 33, 40, 47, 48, 49, 64]
FEW = [1, 2, 3, 5, 8, 16, 31, 32, 33, 34, 47, 64, 65]
BATCH = [1, 2, 3]
