"""Settings of loops that are recurrent layers, in a graph of TensorFlow and of TFLite."""

from __future__ import annotations

from typing import Any

from shapeinspect_tensorflow.graph.node_view import View

Settings = dict[str, Any]
_GIVEN = (
    "batch_first", "direction", "return_sequences", "return_state", "reset_after", "cell_function",
    "gate_function", "initial_states",
)  # fmt: skip


def _given(view: View, *further: str) -> Settings:
    return {name: view.get(name) for name in (*_GIVEN, *further) if view.get(name) is not None}


def recurrent(view: View, gates: int, *, turned: bool = False) -> Settings:
    """Read a recurrent layer: the matrices are ``i (gate o)`` and ``h (gate o)``.

    Args:
        view: the node: its input, the two matrices, the biases, and the candidate's matrix where it is apart.
        gates: the number of gates.
        turned: whether the matrices are ``(gate o) i`` and ``(gate o) h``, as TFLite stores them.
    """
    kernel, matrix = view.shape(1), view.shape(2)
    if kernel is None or matrix is None or not len(kernel) == len(matrix) == 2:
        return {}
    if turned:
        kernel, matrix = kernel[::-1], matrix[::-1]
    hidden = matrix[0]
    of_state = gates - 1 if view.get("candidate_apart") else gates
    if not isinstance(hidden, int) or kernel[1] != gates * hidden or matrix[1] != of_state * hidden:
        return {}
    settings = {"input_size": kernel[0], "hidden_size": hidden, "num_layers": 1, "bidirectional": False}
    return {**settings, **_given(view)}


def recurrent_apart(view: View) -> Settings:
    """Read a recurrent layer in TFLite whose gates are apart: ``o i`` and ``o h``.

    Args:
        view: the node: its input, a matrix for each gate, one on the state for each, and the biases.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) != 2:
        return {}
    settings = {"input_size": kernel[1], "hidden_size": kernel[0], "num_layers": 1, "bidirectional": False}
    return {**settings, **_given(view)}


def of_maps(view: View) -> Settings:
    """Read a recurrent layer of maps: the kernels are ``*k i (gate o)`` and ``*k h (gate o)``.

    Args:
        view: the node: its input, the two kernels, and the bias.
    """
    kernel, matrix = view.shape(1), view.shape(2)
    if kernel is None or matrix is None or len(kernel) != len(matrix) or len(kernel) < 3:
        return {}
    if not isinstance(matrix[-2], int) or not kernel[-1] == matrix[-1] == 4 * matrix[-2]:
        return {}
    return _of_maps(view, kernel[:-2], kernel[-2], matrix[-2])


def of_maps_apart(view: View) -> Settings:
    """Read a recurrent layer of maps in TFLite, whose gates are apart: ``o *k i``, in three axes ``*k i o``.

    Args:
        view: the node: its input, four kernels, four kernels on the state, and four biases.
    """
    kernel, space = view.shape(1), len(view.get("stride", ()))
    if kernel is None or len(kernel) != (5 if space == 3 else 4):
        return {}
    if space == 3:
        return _of_maps(view, kernel[:3], kernel[3], kernel[4])
    return _of_maps(view, kernel[3 - space : 3], kernel[3], kernel[0])


def _of_maps(view: View, kernel: tuple[Any, ...], channels: Any, hidden: Any) -> Settings:
    settings = {"kernel_size": kernel, "in_channels": channels, "hidden_size": hidden}
    given = _given(view, "stride", "dilation", "padding")
    given.pop("batch_first", None)
    return {**settings, "data_format": "channels_last", "bidirectional": False, **given}
