"""A report as plain data; ``shapeinspect/schema/report.schema.json`` describes every field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape, Unknown
from shapeinspect.ir import Axes, Call, Layer, Model, Packing, Quantization, Value, Weight
from shapeinspect.layer_names import matching
from shapeinspect.layout import transform
from shapeinspect.render.cells import pattern_axes
from shapeinspect.render.totals import Totals, of_layers, of_model, weigh
from shapeinspect.text import ascii_json

SCHEMA = 2


def to_dict(model: Model, pattern: str | None = None) -> dict[str, Any]:
    """Return a model as dicts, lists, strings and numbers.

    A dimension is an int, a string (a symbol or an expression) or None (unknown). The names of values connect
    the calls: the name of a call's output is the name of the input that reads it.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        pattern: only layers that this glob names, with their sums beside those of the whole; None for all.

    Example:
        >>> to_dict(Model("m.onnx", "onnx", "onnx", "onnx"))["schema"]
        2
    """
    among = _among(model, pattern)
    return {**_before(model), "layers": list(_layers(model, among)), **_after(model, pattern, among)}


def to_json(model: Model, order: str = "tree", pattern: str | None = None) -> Iterator[str]:
    r"""Write what :func:`to_dict` returns as JSON, piece by piece, with one layer a line.

    Neither the whole text nor all the data is ever in memory.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        order: ``tree`` for the layers in the model's order, ``calls`` for that of their first calls.
        pattern: only layers that this glob names; None for all.

    Example:
        >>> text = "".join(to_json(Model("m.onnx", "onnx", "onnx", "onnx")))
        >>> json.loads(text) == to_dict(Model("m.onnx", "onnx", "onnx", "onnx"))
        True
    """
    # Without indentation json uses its C encoder; the data of a layer has no cycles.
    encoder = json.JSONEncoder(allow_nan=False, check_circular=False)

    def encode(value: Any) -> str:
        return ascii_json(encoder.encode(value))

    yield "{\n"
    for name, value in _before(model).items():
        yield f" {encode(name)}: {encode(value)},\n"
    yield ' "layers": ['
    comma = ""
    among = _among(model, pattern)
    for layer in _layers(_ordered(model) if order == "calls" else model, among):
        yield f"{comma}\n  {encode(layer)}"
        comma = ","
    yield "\n ]"
    for name, value in _after(model, pattern, among).items():
        yield f",\n {encode(name)}: {encode(value)}"
    yield "\n}"


def _before(model: Model) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": model.source,
        "format": model.format,
        "framework": model.framework,
        "adapter": model.adapter,
        "metadata": dict(model.metadata),
        "inputs": [_value(model, name) for name in model.inputs],
        "outputs": [_value(model, name) for name in model.outputs],
    }


def _ordered(model: Model) -> Model:
    """Return a model whose layers are in the order of their first calls; what is never called comes last."""
    first: dict[str, int] = {}
    for place, call in enumerate(model.calls):
        first.setdefault(call.layer, place)
    last = len(model.calls)
    return replace(model, layers=tuple(sorted(model.layers, key=lambda layer: first.get(layer.path, last))))


def _among(model: Model, pattern: str | None) -> tuple[Layer, ...] | None:
    """Return the layers that a filter leaves; None where there is none."""
    return None if pattern is None else matching(model, pattern).layers


def _layers(model: Model, among: Sequence[Layer] | None) -> Iterator[dict[str, Any]]:
    calls: dict[str, list[tuple[int, Call]]] = {}
    for index, call in enumerate(model.calls):
        calls.setdefault(call.layer, []).append((index, call))
    first: dict[str, str] = {}
    paths = None if among is None else {layer.path for layer in among}
    for layer in model.layers:
        described = _layer(model, layer, calls.get(layer.path, []), first)
        if paths is None or layer.path in paths:
            yield described


def _after(model: Model, pattern: str | None, among: Sequence[Layer] | None) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if among is not None:
        totals = _totals(of_layers(among, model))
        part = {"filter": {"pattern": pattern, "layers": len(among), "totals": totals}}
    return {
        "totals": _totals(of_model(model)),
        **part,
        "notes": [{"text": note.text, "about": note.about} for note in model.notes],
    }


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "params": totals.params,
        "trainable": totals.trainable,
        "buffers": totals.buffers,
        "bytes": totals.bytes,
        "bytes_by_dtype": dict(totals.bytes_by_dtype),
        "macs": _dim(totals.macs),
        "params_unknown": totals.unknown,
        "bytes_unknown": totals.bytes_unknown,
        "macs_unknown": list(totals.macs_unknown),
    }


def _dim(dim: Dim | None) -> int | str | None:
    if dim is None or isinstance(dim, Unknown):
        return None
    return str(dim) if isinstance(dim, Expr) else int(dim)


def _shape(shape: Shape | None) -> list[int | str | None] | None:
    return None if shape is None else [dim if type(dim) is int else _dim(dim) for dim in shape]


def _axes(axes: Axes | None, shape: Shape | None) -> list[str | None] | None:
    if shape is None:
        return None
    return list(axes) if axes is not None else [None] * len(shape)


def _value(model: Model, name: str) -> dict[str, Any]:
    value = model.values.get(name, Value(name))
    return {
        "name": name,
        "shape": _shape(value.shape),
        "axes": _axes(value.axes, value.shape),
        "dtype": value.dtype,
        **({} if value.element is None else {"element": _shape(value.element)}),
    }


def _call(model: Model, index: int, call: Call) -> dict[str, Any]:
    return {
        "index": index,
        "inputs": [_value(model, name) if name else None for name in call.inputs],
        "outputs": [_value(model, name) if name else None for name in call.outputs],
        "attributes": {name: plain(value) for name, value in call.attributes.items()},
        "macs": _dim(call.macs),
    }


def _layer(
    model: Model, layer: Layer, calls: Sequence[tuple[int, Call]], first: dict[str, str]
) -> dict[str, Any]:
    own = weigh(layer.weights, ())
    return {
        "path": layer.path,
        "kind": layer.kind,
        "candidates": list(layer.candidates),
        "type": layer.type,
        "params": own.params,
        "trainable": own.trainable,
        "buffers": own.buffers,
        "bytes": own.bytes,
        "origin": layer.origin,
        "attributes": {name: plain(value) for name, value in layer.attributes.items()},
        "weights": [_weight(weight, first) for weight in layer.weights],
        "calls": [_call(model, index, call) for index, call in calls],
    }


def _weight(weight: Weight, first: dict[str, str]) -> dict[str, Any]:
    tied = first.setdefault(weight.storage, weight.name) if weight.storage is not None else weight.name
    layout = weight.layout
    unnamed = [None] * len(weight.shape)
    return {
        "name": weight.name,
        "role": weight.role,
        "dtype": weight.dtype,
        "count": weight.size,
        "bytes": weight.nbytes,
        "trainable": weight.trainable,
        "buffer": weight.buffer,
        "native": {
            "shape": _shape(weight.shape),
            "axes": list(pattern_axes(layout.native)) if layout else unnamed,
        },
        "common": {
            "shape": _shape(weight.common_shape),
            "axes": list(pattern_axes(layout.common)) if layout else None,
        },
        "transform": transform(layout) if layout else None,
        "tied_to": tied if tied != weight.name else None,
        "where": weight.where,
        "quantization": _quantization(weight.quantization),
    }


def _quantization(how: Quantization | None) -> dict[str, Any] | None:
    if how is None:
        return None
    return {
        "scheme": how.scheme,
        "element": how.element,
        "bits": how.bits,
        "block": None if how.block is None else list(how.block),
        "packing": _packing(how.packing),
        "scales": list(how.scales),
        "zero_points": list(how.zero_points),
        "state": list(how.state),
    }


def _packing(packing: Packing | None) -> dict[str, Any] | None:
    if packing is None:
        return None
    return {
        "shape": _shape(packing.shape),
        "dtype": packing.dtype,
        "axis": packing.axis,
        "values": packing.values,
        "elements": packing.elements,
    }


def plain(value: Any) -> Any:
    """Turn an attribute into what JSON can hold.

    Args:
        value: a plain value, or tuples and mappings of them.

    Example:
        >>> plain(((1, 1), Unknown(), {"a": (2,)}))
        [[1, 1], None, {'a': [2]}]
    """
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Expr):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
