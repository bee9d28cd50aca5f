"""What onnxruntime refuses before it runs anything: numbers of another type, an input that is not fed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.ir import Frozen, Layer, Model, Value
from shapeinspect.plugin_api.changes import Change, OnInput
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Fact, IndexOutside, NotFed, OtherType
from shapeinspect.plugin_api.rerun import Failure, Rerun, Retried
from shapeinspect_onnx.debug.spelling import spell

#: What onnxruntime calls the types of numbers, and NumPy.
_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8", "tensor(bool)": "bool",
}  # fmt: skip
_INDEX = re.compile(r"Name:'(?P<node>[^']*)'.*idx=(?P<index>-?\d+) must be within .*\[-(?P<size>\d+),", re.S)


def retyped(session: Any, feed: Mapping[str, Any], message: str, where: str | None) -> Rerun | None:
    """Find the input that is fed numbers of another type, and run the session on converted ones.

    Args:
        session: the session.
        feed: what it was fed.
        message: onnxruntime's words.
        where: the user's source line.
    """
    declared = {argument.name: _TYPES.get(argument.type) for argument in session.get_inputs()}
    for name, declared_type in declared.items():
        value = feed.get(name)
        has = str(getattr(value, "dtype", ""))
        if declared_type is None or value is None or not has or has == declared_type:
            continue
        values = {name: Value(name, tuple(value.shape), has)}
        fact = OtherType(declared_type, f"{has} in an array of {tuple(value.shape)}")

        def passes(changes: Sequence[Change]) -> bool:
            new = dict(feed)
            for change in changes:
                if isinstance(change, OnInput):
                    new[change.name] = feed[change.name].astype(change.steps[0][1])
            return runs(session, new)

        return Retried(_refused(name, values, message, where, fact), passes, spell)
    return None


def missing(session: Any, feed: Mapping[str, Any], message: str, where: str | None) -> Rerun | None:
    """Find the input that is not fed, and run the session on ones in its place.

    Args:
        session: the session.
        feed: what it was fed.
        message: onnxruntime's words.
        where: the user's source line.
    """
    import numpy as np

    declared = {argument.name: argument for argument in session.get_inputs()}
    fed = {name: tuple(value.shape) for name, value in feed.items() if hasattr(value, "shape")}
    absent = [name for name in declared if name not in feed]
    if not absent or len(fed) != len(feed) or any(declared[name].type not in _TYPES for name in absent):
        return None
    sizes = _symbols(declared, fed)
    shapes = {name: _resolved(declared[name].shape, sizes) for name in absent}
    types = {name: _TYPES[declared[name].type] for name in absent}
    values = {name: Value(name, shape) for name, shape in (fed | shapes).items()}
    named = _misnamed(declared, absent, feed)
    fact = NotFed(Frozen(types), tuple(feed), named)

    def passes(changes: Sequence[Change]) -> bool:
        new = {name: value for name, value in feed.items() if name in declared}
        for change in changes:
            if not isinstance(change, OnInput):
                return False
            step, argument_value = change.steps[0]
            new[change.name] = (
                feed[argument_value] if step == "named" else np.ones(argument_value, types[change.name])
            )
        return runs(session, new)

    return Retried(_refused(absent[0], values, message, where, fact), passes, spell)


def looked_up(message: str, feed: Mapping[str, Any], model: Model) -> IndexOutside | None:
    """Read which index is outside of which table; None where the message is about something else.

    Args:
        message: onnxruntime's words.
        feed: what the session was fed.
        model: the session's graph.
    """
    match = _INDEX.search(message)
    if match is None:
        return None
    index, size = int(match["index"]), int(match["size"])
    tables = [layer.path for layer in model.layers if layer.attributes.get("num_embeddings") == size]
    path = match["node"] if match["node"] in tables else next(iter(tables), None)
    if path is None:
        return None
    read = {name for call in model.calls if call.layer == path for name in call.inputs}
    numbers = [feed[name] for name in read if name in feed]
    largest = max((int(indices.max()) for indices in numbers if indices.size), default=index)
    smallest = min((int(indices.min()) for indices in numbers if indices.size), default=index)
    return IndexOutside(largest, smallest, size, path)


def _refused(name: str, values: Mapping[str, Value], message: str, where: str | None, fact: Fact) -> Failure:
    model = Model("", "live", "onnx", "onnx", (), (), Frozen(values), tuple(values))
    claim = Claim(what="session.run")
    return Failure(model, Layer(name, "input", "input"), (name,), message, where, fact=fact, claim=claim)


def runs(session: Any, feed: Mapping[str, Any]) -> bool:
    """Tell whether a session takes what it is fed.

    Args:
        session: the session.
        feed: an array for each input.
    """
    try:
        session.run(None, dict(feed))
    except Exception:  # noqa: BLE001  # onnxruntime has many exceptions, each its own
        return False
    return True


def _symbols(declared: Mapping[str, Any], fed: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Read the length of every symbol off what is fed."""
    return {
        dim: length
        for name, shape in fed.items()
        for dim, length in zip(declared[name].shape if name in declared else (), shape, strict=False)
        if isinstance(dim, str)
    }


def _resolved(shape: Sequence[Any], sizes: Mapping[str, int]) -> Shape:
    return tuple(dim if isinstance(dim, int) else sizes.get(dim, UNKNOWN) for dim in shape)


def _misnamed(
    declared: Mapping[str, Any], absent: Sequence[str], feed: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return the input that is not fed and the name that its array probably has, if there is one each."""
    foreign = [name for name in feed if name not in declared]
    return (absent[0], foreign[0]) if len(absent) == len(foreign) == 1 else None
