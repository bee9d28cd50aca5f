"""Settings of the Fourier transforms; their shapes are signatures (see ``shapeinspect.rules.signature``).

Source: https://onnx.ai/onnx/operators/onnx__DFT.html and https://onnx.ai/onnx/operators/onnx__STFT.html
"""

from __future__ import annotations

from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary.row import Settings


def stft(node: Node) -> Settings:
    """Read a short-time Fourier transform: one spectrum a frame.

    Args:
        node: the node.
    """
    onesided = bool(node.get("onesided", 1))
    step, window = _single(node.numbers("", 1)), node.shape(2)
    length = _single(node.numbers("", 3))
    if length is None and window is not None and len(window) == 1:
        length = window[0]
    settings: Settings = {"onesided": onesided}
    if not isinstance(step, int) or not isinstance(length, int) or step < 1 or length < 1:
        return settings
    known = {"k": length, "s": step, "f": length // 2 + 1 if onesided else length}
    return {
        **settings,
        "signature": "N T C -> N (T-k)/s+1 f 2 | N T -> N (T-k)/s+1 f 2",
        "work": "?",
        "lengths": Frozen(known),
    }


def dft(node: Node) -> Settings:
    """Read a Fourier transform along one axis.

    Args:
        node: the node.
    """
    onesided, inverse = bool(node.get("onesided", 0)), bool(node.get("inverse", 0))
    settings: Settings = {"onesided": onesided, "inverse": inverse}
    axis = _single(node.numbers("axis", 2)) if node.version >= 20 else node.get("axis", 1)
    axis = (-2 if axis is None else axis) if node.version >= 20 else axis
    rank, length = node.rank(), _single(node.numbers("", 1))
    unread = any(node.has(slot) and node.constant(slot) is None for slot in (1, 2))
    if rank is None or unread or not -rank <= axis < rank - 1 or axis % rank == rank - 1:
        return settings
    letters = [f"n{index}" for index in range(rank - 1)]
    size = letters[axis % rank] if length is None else str(length)
    made = list(letters)
    if onesided and inverse:
        made[axis % rank] = f"2*({size}-1)" if length is None else size
    else:
        made[axis % rank] = f"({size})/2+1" if onesided else size
    parts = 1 if onesided and inverse else 2
    return {**settings, "signature": f"{' '.join(letters)} c -> {' '.join(made)} {parts}", "work": "?"}


def _single(numbers: tuple[Any, ...] | None) -> Any:
    return numbers[0] if numbers else None
