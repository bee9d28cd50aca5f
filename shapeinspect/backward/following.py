"""Walks the calls of a model, and counts each piece of memory that the reverse pass needs once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from shapeinspect.backward.site import Site
from shapeinspect.backward.table import kept
from shapeinspect.backward.tensors import Strides, Tensor, elements, packed, reshaped
from shapeinspect.dims import UNKNOWN, Dim, Unknown
from shapeinspect.dtypes import element_bits
from shapeinspect.ir import Call, Layer, Model, Value

#: Kinds that return their input, or a piece of it, in the same memory where that is possible.
_RESHAPING = frozenset({"flatten", "reshape", "unflatten", "squeeze", "unsqueeze"})
_PIECES = frozenset({"split", "unstack", "slice", "index", "expand"})
#: Kinds whose result is laid out as their first input; that of all others is contiguous where all inputs are.
_SAME_ORDER = frozenset({"elementwise", "activation", "dropout", "prelu"})
#: Kinds whose result is contiguous, whatever they read.
_PACKED = frozenset({"linear", "layer_norm", "softmax", "embedding", "matmul"})


@dataclass(frozen=True, slots=True)
class Share:
    """What one call adds to the memory that is kept.

    Args:
        size: the bytes that no earlier call keeps; None where nothing is known.
        lacking: of how many tensors or calls it is not known what they add.
    """

    size: Dim | None = None
    lacking: int = 0


def kept_for_backward(model: Model) -> Mapping[int, Share]:
    """Say what each call makes the reverse pass keep, by the ``id`` of the call.

    Parameters and buffers are not counted, a piece of memory only at the first call that keeps it. Everything
    runs in training mode, and the model's inputs need no gradient. What a program does outside of the
    recorded calls (detaching, switching gradients off) is not seen.

    Args:
        model: a model that went through ``infer``.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Weight
        >>> fc = Layer("fc", "linear", "", weights=(Weight("w", "weight", (5, 3), "float32", 60),))
        >>> values = {"x": Value("x", (2, 3), "float32"), "y": Value("y", (2, 5), "float32")}
        >>> call = Call("fc", ("x",), ("y",))
        >>> whole = Model("m", "f", "f", "a", (fc,), (call,), Frozen(values), ("x",), ("y",))
        >>> kept_for_backward(whole)[id(call)].size
        24
    """
    walk = _Walk(model)
    return {id(call): walk.step(number, call) for number, call in enumerate(model.calls)}


def total(shares: Iterable[Share]) -> Share:
    """Add up shares.

    Args:
        shares: those of several calls.

    Example:
        >>> total([Share(24), Share(None, 1), Share(8)])
        Share(size=32, lacking=1)
    """
    size: Dim | None = None
    lacking = 0
    for share in shares:
        lacking += share.lacking
        if share.size is not None:
            size = share.size if size is None else size + share.size
    return Share(size, lacking)


@dataclass
class _Walk:
    model: Model
    tensors: dict[str, Tensor] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._layers = {layer.path: layer for layer in self.model.layers}
        # A parameter that the program itself uses is read by its name.
        for layer in self.model.layers:
            for weight in layer.weights:
                if weight.name in self.model.values:
                    trained = weight.trainable is not False and not weight.buffer
                    plain = self._fresh(weight.name, trained and _floating(weight.dtype))
                    self.tensors[weight.name] = replace(plain, storage="", size=0)
        for name in self.model.inputs:
            self.tensors[name] = self._fresh(name, grad=False)

    def step(self, number: int, call: Call) -> Share:
        layer = self._layers.get(call.layer)
        if layer is None or layer.kind == "module":
            return Share(0)
        attributes = {**layer.attributes, **call.attributes}
        inputs = tuple(
            self.tensors.get(name) or self._fresh(name, grad=False) if name else None for name in call.inputs
        )
        params = (
            any(
                weight.trainable is not False and not weight.buffer and _floating(weight.dtype)
                for weight in layer.weights
            )
            if layer.weights
            else None
        )
        grad = bool(params) or any(tensor is not None and tensor.grad for tensor in inputs)
        outputs = tuple(
            self._fresh(name, grad and _floating(self._value(name).dtype)) for name in call.outputs if name
        )
        site = Site(f"call {number}", layer.type, attributes, inputs, outputs, params)
        placed = _placed(layer, site)
        for tensor, name in zip(placed, filter(None, call.outputs), strict=True):
            self.tensors[name] = tensor
        if not any(tensor.grad for tensor in outputs):
            return Share(0)
        found = kept(layer.kind, replace(site, outputs=placed))
        if found is None:
            for name in filter(None, call.outputs):
                self.tensors[name] = replace(self.tensors[name], strides=None, sure=False)
            return Share(None, 1)
        return total([Share(0), *map(self._count, found)])

    def _count(self, tensor: Tensor) -> Share:
        if not tensor.storage or tensor.storage in self.counted:
            return Share(0)
        self.counted.add(tensor.storage)
        if not tensor.sure or isinstance(tensor.size, Unknown):
            return Share(None, 1)
        return Share(tensor.size)

    def _value(self, name: str) -> Value:
        return self.model.values.get(name) or Value(name)

    def _fresh(self, name: str, grad: bool) -> Tensor:
        value = self._value(name)
        item = (element_bits(value.dtype) or 0) // 8
        known = value.shape is not None and item
        size = elements(value.shape) * item if value.shape is not None and known else UNKNOWN
        return Tensor(
            name, size, value.shape, packed(value.shape) if value.shape is not None else None, item, grad
        )


def _floating(dtype: str | None) -> bool:
    return dtype is None or "float" in dtype or "complex" in dtype


def _placed(layer: Layer, site: Site) -> tuple[Tensor, ...]:
    """Return the outputs with the memory that holds them, and their strides."""
    source = site.input
    kind = layer.kind
    if source is None:
        viewing = (
            kind in _RESHAPING or kind in _PIECES or kind in ("permute", "transpose2", "movedim", "identity")
        )
        # What is read is a parameter.
        return (
            tuple(replace(t, storage="", size=0) for t in site.outputs)
            if viewing or kind == "parameter"
            else site.outputs
        )
    if kind == "identity" or (kind == "dropout" and site.attributes.get("rate") == 0):
        return tuple(replace(source, grad=t.grad) for t in site.outputs)
    if kind in _RESHAPING:
        return tuple(
            replace(reshaped(source, t.shape, f"{site.name}:copy"), grad=t.grad, item=t.item)
            for t in site.outputs
        )
    order = _order(kind, site, source)
    if order is not None:
        return tuple(_permuted(source, t, order) for t in site.outputs)
    if kind in _PIECES:
        return tuple(_piece(kind, site, source, t) for t in site.outputs)
    if kind == "attention":  # heads before positions, as a view of positions before heads
        return tuple(_heads_inside(site, t) for t in site.outputs)
    if kind in _PACKED:
        return site.outputs
    tensors = [tensor for tensor in site.inputs if tensor is not None]
    if all(tensor.contiguous for tensor in tensors):
        return site.outputs
    like = _dense(source) if kind in _SAME_ORDER and _alike(source, tensors) else None
    return tuple(replace(t, strides=like if t.shape == source.shape else None) for t in site.outputs)


def _alike(source: Tensor, tensors: list[Tensor]) -> bool:
    """Tell whether all tensors are laid out in the same way."""
    return all(t.strides == source.strides and t.shape == source.shape for t in tensors)


def _dense(tensor: Tensor) -> Strides:
    """Return the strides of elements without gaps, the axes in the order in which a tensor has them."""
    shape, strides = tensor.shape, tensor.strides
    if shape is None or strides is None:
        return None
    steps = [step for step in strides if isinstance(step, int) and step]
    if len(steps) != len(strides) or len(set(steps)) != len(steps):
        return None
    order = sorted(range(len(shape)), key=lambda axis: -steps[axis])
    found: list[Dim] = [0] * len(shape)
    for axis, step in zip(order, packed(tuple(shape[axis] for axis in order)), strict=True):
        found[axis] = step
    return tuple(found)


def _order(kind: str, site: Site, source: Tensor) -> tuple[int, ...] | None:
    """Return the axes of the input in the order of the output; None where this is no permutation."""
    if source.shape is None:
        return None
    rank = len(source.shape)
    attributes = site.attributes
    if kind == "permute" and isinstance(attributes.get("axes"), tuple):
        axes = tuple(axis % rank for axis in attributes["axes"])
        return axes if sorted(axes) == list(range(rank)) else None
    if kind == "transpose2":
        order = list(range(rank))
        a, b = (attributes.get(name) for name in ("axis0", "axis1"))
        if isinstance(a, int) and isinstance(b, int):
            order[a], order[b] = order[b], order[a]
            return tuple(order)
    return None


def _permuted(source: Tensor, output: Tensor, order: tuple[int, ...]) -> Tensor:
    strides = None if source.strides is None else tuple(source.strides[axis] for axis in order)
    return replace(source, shape=output.shape, strides=strides, grad=output.grad)


def _piece(kind: str, site: Site, source: Tensor, output: Tensor) -> Tensor:
    """Return a part of a tensor: its memory is the whole one's."""
    strides = source.strides
    whole = strides is not None and source.shape is not None and output.shape is not None
    if kind == "expand" or not whole or strides is None or source.shape is None or output.shape is None:
        return replace(
            source, shape=output.shape, strides=None, grad=output.grad, sure=source.sure and kind != "index"
        )
    if len(source.shape) == len(output.shape):
        steps = dict(zip(site.attributes.get("axes", ()), site.attributes.get("steps", ()), strict=False))
        plain = all(step == 1 for step in steps.values())
        return replace(source, shape=output.shape, strides=strides if plain else None, grad=output.grad)
    axis = site.attributes.get("axis")
    if len(source.shape) == len(output.shape) + 1 and isinstance(axis, int):
        rest = list(strides)
        del rest[axis]
        return replace(source, shape=output.shape, strides=tuple(rest), grad=output.grad)
    return replace(source, shape=output.shape, strides=None, grad=output.grad, sure=False)


def _heads_inside(site: Site, output: Tensor) -> Tensor:
    shape = output.shape
    if not site.attributes.get("scaled_dot_product") or shape is None or len(shape) != 4:
        return output if site.attributes.get("scaled_dot_product") is None else replace(output, strides=None)
    _, heads, length, size = shape
    return replace(output, strides=(length * heads * size, size, heads * size, 1))
