"""Reads the tree of a live MLX module: layers by their classes, weights by their paths.

Source: ``mlx.nn.Module.named_modules`` and ``parameters``; the attributes that the classes of ``mlx.nn``
keep, in mlx 0.32.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Attribute, Layer, Model, Note, Weight
from shapeinspect.sources.source import Source
from shapeinspect_torch.mlx.layouts import CLASSES, bind

if TYPE_CHECKING:
    import numpy as np

_ROOT = "(root)"
_NO_GRAPH = "the layers are those of the module's tree; its code is not run, so there is no graph"
_BUFFERS = frozenset(("running_mean", "running_var"))

#: The settings of each kind, and the attributes in which MLX's modules keep them.
_NAMES: dict[str, dict[str, str]] = {
    "conv": {"groups": "groups"},
    "batch_norm": {"num_features": "num_features", "eps": "eps", "momentum": "momentum"},
    "instance_norm": {"num_features": "dims", "eps": "eps"},
    "group_norm": {"num_groups": "num_groups", "num_channels": "dims", "eps": "eps"},
    "layer_norm": {"eps": "eps"},
    "rms_norm": {"eps": "eps"},
    "attention": {"num_heads": "num_heads"},
}
#: The lengths that a kind's kernel says, and the axis of each.
_LENGTHS: dict[str, dict[str, int]] = {
    "linear": {"out_features": 0, "in_features": 1},
    "embedding": {"num_embeddings": 0, "embedding_dim": 1},
    "conv_transpose": {"out_channels": 0, "in_channels": -1},
}
_IMAGES = frozenset(("conv", "conv_transpose", "batch_norm", "group_norm", "instance_norm"))


def read_module(source: Source) -> Model:
    """Read a live module.

    Args:
        source: a request whose target is an ``mlx.nn.Module``.
    """
    root: Any = source.target
    modules = dict(root.named_modules())
    owners: dict[str, dict[str, Weight]] = {}
    for name, array in _arrays(root.parameters(), ""):
        owner = _owner(name, modules)
        role = name[len(owner) + 1 :] if owner else name
        owners.setdefault(owner, {})[role] = _weight(name, role, array)
    layers = tuple(_layer(path, modules.get(path), weights) for path, weights in owners.items())
    return Model(
        source.label,
        "live",
        "mlx",
        "mlx-live",
        layers,
        notes=(Note(_NO_GRAPH),),
        described=("live MLX module",),
    )


def _arrays(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else None
    if items is None:
        yield path, tree
        return
    for key, value in items:
        yield from _arrays(value, f"{path}.{key}" if path else str(key))


def _class(module: object) -> str:
    """Return the class of MLX's own that a module is, or inherits from; an empty text for any other."""
    for base in type(module).__mro__:
        if base.__module__.startswith("mlx.nn.") and base.__name__ in CLASSES:
            return base.__name__
    return ""


def _owner(name: str, modules: Mapping[str, object]) -> str:
    parts = name.split(".")
    for length in range(len(parts)):
        path = ".".join(parts[:length])
        if _class(modules.get(path)):
            return path
    return ".".join(parts[:-1])


def _weight(name: str, role: str, array: Any) -> Weight:
    buffer = role in _BUFFERS
    return Weight(
        name,
        role,
        tuple(array.shape),
        str(array.dtype).rpartition(".")[2],
        int(array.nbytes),
        trainable=not buffer,
        buffer=buffer,
        values=partial(_values, array),
    )


def _values(array: Any) -> np.ndarray[Any, Any]:
    """Return the numbers; bfloat16, which numpy does not know, as float32."""
    import mlx.core as mx
    import numpy as np

    return np.array(array.astype(mx.float32) if array.dtype == mx.bfloat16 else array)


def _layer(path: str, module: object, weights: Mapping[str, Weight]) -> Layer:
    native = _class(module)
    kind = CLASSES.get(native, "unknown")
    bound = tuple(
        replace(weight, layout=bind(native, weight.role, len(weight.shape))) if native else weight
        for weight in weights.values()
    )
    type_ = native or (type(module).__name__ if module is not None else "")
    name = path or _ROOT
    parts = tuple(path.split(".")) if path else (name,)
    return Layer(name, kind, type_, parts, Frozen(_attributes(module, kind, weights)), bound)


def _attributes(module: object, kind: str, weights: Mapping[str, Weight]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for name, own in _NAMES.get(kind, {}).items():
        value = getattr(module, own, None)
        if isinstance(value, (bool, int, float)):
            found[name] = value
    shape = weights["weight"].shape if "weight" in weights else ()
    for name, axis in _LENGTHS.get(kind, {}).items():
        if shape:
            found[name] = shape[axis]
    if kind in _IMAGES:
        found["data_format"] = "channels_last"
    if kind == "group_norm":
        found["interleaved_groups"] = not getattr(module, "pytorch_compatible", False)
    if kind in ("layer_norm", "rms_norm") and shape:
        found["normalized_shape"] = shape
    if kind in ("conv", "conv_transpose") and len(shape) > 2:
        found.update(_windows(module, kind, tuple(shape[1:-1])))
    if kind == "conv" and len(shape) > 2:
        groups = found.get("groups") or 1
        found.update(out_channels=shape[0], in_channels=shape[-1] * groups, groups=groups)
    if kind == "attention":
        found["embed_dim"] = next((weight.shape[1] for weight in weights.values()), None)
    return {name: value for name, value in found.items() if value is not None}


def _windows(module: object, kind: str, kernel: tuple[Any, ...]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {"kernel_size": kernel}
    for name, own in (("stride", "stride"), ("dilation", "dilation"), ("padding", "padding")):
        value = getattr(module, own, None)
        lengths = (value,) * len(kernel) if isinstance(value, int) else value
        if isinstance(lengths, tuple) and len(lengths) == len(kernel):
            found[name] = _SPELLED[own](lengths)
    if kind == "conv_transpose":
        found["groups"] = 1
    return found


_SPELLED: dict[str, Callable[[tuple[int, ...]], Attribute]] = {
    "stride": tuple,
    "dilation": tuple,
    "padding": lambda ends: tuple((end, end) for end in ends),
}
