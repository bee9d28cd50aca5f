"""Layers that a weight file without a configuration proves by the groups inside them.

A recurrent layer keeps its variables in its ``cell``, a ``Bidirectional`` in two such layers, an attention in
four projections: Keras names these groups after attributes of its own, and the shapes must fit.

Source: ``rnn.py``, ``stacked_rnn_cells.py`` and ``bidirectional.py`` of keras/src/layers/rnn,
``multi_head_attention.py`` and ``grouped_query_attention.py`` of keras/src/layers/attention, 3.15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from shapeinspect.dims import Shape

#: The arrays of each group below a layer, by the group's path in it.
Groups: TypeAlias = "Mapping[str, tuple[Shape, ...]]"
#: A class of Keras and its settings.
Structure: TypeAlias = "tuple[str, dict[str, Any]]"

#: The class of a layer whose cell has so many gates.
_GATES = {1: "SimpleRNN", 3: "GRU", 4: "LSTM"}
_DIRECTIONS = ("forward_layer", "backward_layer")
_CELLS = re.compile(r"cell/_?cells/(simple_rnn|lstm|gru)_cell(?:_(\d{1,4}))?")
_STACKED = {"simple_rnn": "SimpleRNNCell", "lstm": "LSTMCell", "gru": "GRUCell"}
_PROJECTIONS = ("query_dense", "key_dense", "value_dense", "output_dense")


def structure(groups: Groups) -> Structure | None:
    """Recognize a layer by the groups of variables inside it.

    Args:
        groups: the shapes of the arrays in every group below it, by its path without leading underscores;
            groups without arrays are left out.

    Example:
        >>> structure({"cell": ((7, 20), (5, 20), (20,))})
        ('LSTM', {'units': 5, 'use_bias': True})
        >>> structure({"cell": ((7, 19), (5, 20), (20,))}) is None
        True
    """
    return _recurrent(groups) or _bidirectional(groups) or _attention(groups)


def _recurrent(groups: Groups) -> Structure | None:
    if groups.keys() == {"cell"}:
        return _cell(groups["cell"])
    return _stack(groups)


def _cell(shapes: tuple[Shape, ...]) -> Structure | None:
    """Recognize a layer by the kernel, the recurrent kernel and the bias of its cell."""
    if not 2 <= len(shapes) <= 3:
        return None
    kernel, recurrent, *rest = shapes
    if not _fitting(kernel, recurrent):
        return None
    units, width = recurrent[-2:]
    settings: dict[str, Any] = {"units": units, "use_bias": bool(rest)}
    if len(kernel) > 2:
        fits = units * 4 == width and rest in ([], [(width,)])
        named = {"filters": units, "kernel_size": kernel[:-2], "use_bias": bool(rest)}
        return (f"ConvLSTM{len(kernel) - 2}D", named) if fits else None
    name = next((name for gates, name in _GATES.items() if units * gates == width), None)
    if name is None or rest not in ([], [(width,)], *([[(2, width)]] if name == "GRU" else [])):
        return None
    if name == "GRU":  # without a bias nothing tells, and nothing depends on it
        settings["reset_after"] = not rest or len(rest[0]) == 2
    return name, settings


def _fitting(kernel: Shape, recurrent: Shape) -> bool:
    """Tell whether both have the same outputs and, in a ``ConvLSTM``, the same window."""
    known = all(isinstance(length, int) and length > 0 for length in (*kernel, *recurrent))
    if not known or not 2 <= len(kernel) == len(recurrent) <= 5:
        return False
    return kernel[:-2] == recurrent[:-2] and kernel[-1] == recurrent[-1]


def _stack(groups: Groups) -> Structure | None:
    """Recognize an ``RNN`` of several cells, in the order in which Keras numbers each class of them."""
    found = [(_CELLS.fullmatch(path), path) for path in groups]
    if len(found) < 1 or not all(match for match, _ in found):
        return None
    classes = {match[1] for match, _ in found if match}
    if len(classes) != 1:  # the file does not record in which order cells of several classes follow
        return _chained(groups)
    ordered = sorted(found, key=lambda item: int(item[0][2] or 0) if item[0] else 0)
    return _cells(groups, [path for _, path in ordered])


def _chained(groups: Groups) -> Structure | None:
    """Order cells of several classes by their sizes: each reads what the one before it gives."""
    first = [path for path, shapes in groups.items() if not _before(groups, path, shapes)]
    paths = first[:1]
    while len(first) == 1 and len(paths) < len(groups):
        after = [
            path for path, shapes in groups.items() if path not in paths and _feeds(groups[paths[-1]], shapes)
        ]
        if len(after) != 1:
            return None
        paths += after
    return _cells(groups, paths) if len(paths) == len(groups) else None


def _before(groups: Groups, path: str, shapes: tuple[Shape, ...]) -> list[str]:
    return [other for other, given in groups.items() if other != path and _feeds(given, shapes)]


def _feeds(before: tuple[Shape, ...], after: tuple[Shape, ...]) -> bool:
    return len(before) > 1 < len(after) and before[1][:1] == after[0][:1]


def _cells(groups: Groups, paths: Iterable[str]) -> Structure | None:
    cells = []
    for path in paths:
        match, found = _CELLS.fullmatch(path), _cell(groups[path])
        name = _STACKED[match[1]] if match else ""
        if found is None or f"{found[0]}Cell" != name:
            return None
        cells.append(_described((name, found[1])))
    if not cells:
        return None
    return "RNN", {"cell": _described(("StackedRNNCells", {"cells": cells}))}


def _bidirectional(groups: Groups) -> Structure | None:
    inner = [
        _recurrent(
            {
                path.removeprefix(f"{side}/"): shapes
                for path, shapes in groups.items()
                if path.startswith(f"{side}/")
            }
        )
        for side in _DIRECTIONS
    ]
    forward, backward = inner
    if forward is None or backward is None or forward[0] != backward[0]:
        return None
    if any(not path.startswith(tuple(f"{side}/" for side in _DIRECTIONS)) for path in groups):
        return None
    turned = _described((backward[0], {**backward[1], "go_backwards": True}))
    return "Bidirectional", {"layer": _described(forward), "backward_layer": turned}


def _attention(groups: Groups) -> Structure | None:
    """Recognize an attention: kernels ``E head d`` of three projections, ``head d E`` of the last."""
    if groups.keys() != set(_PROJECTIONS):
        return None
    kernels = [groups[name][0] if groups[name] else () for name in _PROJECTIONS]
    counts = {len(shapes) for shapes in groups.values()}
    if any(len(kernel) != 3 for kernel in kernels) or len(counts) != 1 or not counts <= {1, 2}:
        return None
    query, key, value, output = kernels
    if key[1] != value[1] or query[1:] != (output[0], key[2]) or output[1] != value[2]:
        return None
    bias = counts == {2}
    if query[1] == key[1]:
        settings = {"num_heads": query[1], "key_dim": query[2], "value_dim": value[2], "use_bias": bias}
        return "MultiHeadAttention", settings
    groups_of = {"num_query_heads": query[1], "num_key_value_heads": key[1]}
    return "GroupedQueryAttention", {**groups_of, "head_dim": query[2], "use_bias": bias}


def _described(found: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"class_name": found[0], "config": found[1]}
