"""Reads the tree of a live nnx module: layers by their classes, weights by their paths in its state.

Source: ``flax.nnx.iter_modules`` and ``to_flat_state``; the attributes that each class of ``flax/nnx/nn``
keeps, in flax 0.12.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Attribute, Layer, Layout, Model, Note, Weight
from shapeinspect.layout import lengths, parse
from shapeinspect.sources.source import Source
from shapeinspect_flax.evidence import BUFFERS
from shapeinspect_flax.layouts import bind
from shapeinspect_flax.native import CLASSES

if TYPE_CHECKING:
    import numpy as np

_ROOT = "(root)"
_NO_GRAPH = "the layers are those of the module's tree; its code is not run, so there is no graph"

#: The attributes of each kind, and the names under which nnx's modules keep them.
_CONV = {"in_channels": "in_features", "out_channels": "out_features", "kernel_size": "kernel_size"}
_CELL = {"input_size": "in_features", "hidden_size": "hidden_features"}
_NAMES: dict[str, dict[str, str]] = {
    "linear": {"in_features": "in_features", "out_features": "out_features"},
    "conv": {**_CONV, "groups": "feature_group_count"},
    "conv_transpose": _CONV,
    "embedding": {"num_embeddings": "num_embeddings", "embedding_dim": "features"},
    "batch_norm": {"num_features": "num_features", "eps": "epsilon", "momentum": "momentum"},
    "instance_norm": {"num_features": "num_features", "eps": "epsilon"},
    "layer_norm": {"eps": "epsilon"},
    "rms_norm": {"eps": "epsilon"},
    "group_norm": {"num_groups": "num_groups", "eps": "epsilon"},
    "attention": {"embed_dim": "in_features", "num_heads": "num_heads", "head_dim": "head_dim"},
    "lstm_cell": _CELL,
    "gru_cell": _CELL,
    "rnn_cell": _CELL,
}
_IMAGES = frozenset(("conv", "conv_transpose", "batch_norm", "group_norm", "instance_norm"))


def read_module(source: Source) -> Model:
    """Read a live module.

    Args:
        source: a request whose target is an ``nnx.Module``.
    """
    from flax import nnx

    modules = dict(nnx.iter_modules(source.target))
    owners: dict[tuple[Any, ...], dict[str, Weight]] = {}
    for path, variable in nnx.to_flat_state(nnx.state(source.target)):
        if isinstance(variable, nnx.RngState) or not hasattr(variable, "shape"):
            continue
        owner = _owner(path, modules)
        role = "/".join(map(str, path[len(owner) :]))
        owners.setdefault(owner, {})[role] = _weight(path, role, variable, nnx.BatchStat)
    layers = tuple(_layer(path, modules.get(path), weights) for path, weights in owners.items())
    return Model(
        source.label,
        "live",
        "nnx",
        "flax-live",
        layers,
        notes=(Note(_NO_GRAPH),),
        described=("live Flax module",),
    )


def _class(module: object) -> str:
    """Return the class of Flax's own that a module is, or inherits from; an empty text for any other."""
    for base in type(module).__mro__:
        if base.__module__.startswith("flax.nnx.nn") and base.__name__ in CLASSES:
            return base.__name__
    return ""


def _owner(path: tuple[Any, ...], modules: Mapping[tuple[Any, ...], object]) -> tuple[Any, ...]:
    for length in range(len(path)):
        if _class(modules.get(path[:length])):
            return path[:length]
    return path[:-1]


def _weight(path: tuple[Any, ...], role: str, variable: Any, statistics: type) -> Weight:
    buffer = isinstance(variable, statistics) or role in BUFFERS
    return Weight(
        "/".join(map(str, path)),
        role,
        tuple(variable.shape),
        str(variable.dtype),
        int(variable.size) * variable.dtype.itemsize,
        trainable=not buffer,
        buffer=buffer,
        values=partial(_values, variable),
    )


def _values(variable: Any) -> np.ndarray[Any, Any]:
    """Return the numbers; what numpy has no type for as float32."""
    import numpy as np

    array = np.asarray(variable[...])
    return array if array.dtype.kind in "fiubc" else array.astype(np.float32)


def _layer(path: tuple[Any, ...], module: object, weights: Mapping[str, Weight]) -> Layer:
    name, parts = "/".join(map(str, path)) or _ROOT, tuple(map(str, path))
    native = _class(module)
    kind = CLASSES.get(native, "unknown")
    stored = native
    if native == "ConvTranspose" and getattr(module, "transpose_kernel", False):
        stored = "ConvTranspose(transpose_kernel)"
    bound = tuple(_bound(weight, stored) for weight in weights.values())
    attributes = _attributes(module, kind, bound)
    type_ = native or (type(module).__name__ if module is not None else "")
    return Layer(name, kind, type_, parts or (name,), Frozen(attributes), bound)


def _bound(weight: Weight, native: str) -> Weight:
    layout = bind(native, weight.role, len(weight.shape))
    return replace(weight, layout=_with_sizes(layout, weight)) if layout is not None else weight


def _with_sizes(layout: Layout, weight: Weight) -> Layout:
    """Keep the lengths that are needed to split a joined axis of the common convention again."""
    joined = {name for axis in parse(layout.common).axes if len(axis) > 1 for name in axis}
    known = lengths(parse(layout.native), weight.shape, layout.sizes)
    sizes = {name: size for name, size in known.items() if name in joined and isinstance(size, int)}
    return replace(layout, sizes=Frozen({**layout.sizes, **sizes})) if sizes else layout


def _attributes(module: object, kind: str, weights: tuple[Weight, ...]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for name, own in _NAMES.get(kind, {}).items():
        value = getattr(module, own, None)
        if isinstance(value, (bool, int, float, str, tuple)):
            found[name] = value
    if kind in _IMAGES:
        found["data_format"] = "channels_last"
    if kind in ("layer_norm", "rms_norm") and weights:
        found["normalized_shape"] = weights[0].shape
    if kind == "conv":
        found.update(_windows(module, len(getattr(module, "kernel_size", ()))))
    elif kind == "conv_transpose":
        found["stride"] = _each(getattr(module, "strides", None), len(getattr(module, "kernel_size", ())))
    return found


def _windows(module: object, rank: int) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        "stride": _each(getattr(module, "strides", None), rank),
        "dilation": _each(getattr(module, "kernel_dilation", None), rank),
    }
    given = getattr(module, "padding", None)
    read = _PADDINGS.get(type(given))
    padding = None if read is None else read(given, rank)
    return found if padding is None else {**found, "padding": padding}


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return (1,) * rank if value is None else (value,) * rank if isinstance(value, int) else tuple(value)


def _named(value: str, _rank: int) -> Attribute | None:
    return value.lower() if value in ("SAME", "VALID", "CAUSAL") else None


def _pairs(value: Any, rank: int) -> Attribute | None:
    ends = [(end, end) if isinstance(end, int) else tuple(end) for end in value]
    return tuple(ends) if len(ends) == rank else None


#: How a padding is read, by the type in which it is given.
_PADDINGS: dict[type, Callable[[Any, int], Attribute | None]] = {
    str: _named,
    int: lambda value, rank: ((value, value),) * rank,
    tuple: _pairs,
    list: _pairs,
}
