"""Random inputs that suit two models, each in its own order of axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.dims import whole
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model, Value
from shapeinspect.plugin_api.native import NativeTable
from shapeinspect.registry import native_table

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Kinds that hand on the values that they receive.
_UNCHANGED = frozenset(
    ("cast", "identity", "reshape", "flatten", "squeeze", "unsqueeze", "expand", "permute", "slice", "module")
)
#: Numbers of a vocabulary that no embedding limits.
_MOST_IDS = 10
#: The most numbers of an input; they take eight bytes each when they are drawn.
_MOST_NUMBERS = 1 << 28
#: An image has a batch, channels and at least two more axes.
_IMAGE = 4


def random_inputs(model: Model, seed: int) -> list[Array]:
    """Make one array for each input of a model.

    Args:
        model: a model with a graph.
        seed: of the random numbers.

    Raises:
        UsageError: if the model has no graph, or an input's length is not known or an input is too large.
    """
    import numpy as np

    if not model.calls or not model.inputs:
        raise UsageError(
            "there is no graph that says what the model takes",
            where=model.source,
            hint="give the shape of an input with --input (of B with --input-b)",
        )
    generator = np.random.default_rng(seed)
    return [_random(model, name, generator) for name in model.inputs]


def _random(model: Model, name: str, generator: Any) -> Array:
    value = model.values.get(name)
    shape = value.shape if value is not None else None
    lengths = whole(
        1 if index == 0 and not isinstance(dim, int) else dim for index, dim in enumerate(shape or ())
    )
    if value is None or shape is None or lengths is None:
        raise UsageError(
            f'the lengths of input "{name}" are not known',
            got=f"({', '.join(map(str, shape or ()))})",
            where=model.source,
            hint="give them with --input (of B with --input-b)",
        )
    if prod(lengths) > _MOST_NUMBERS:
        raise UsageError(
            f"the input {name!r} is too large to be run",
            expected=f"at most {_MOST_NUMBERS:,} numbers",
            got=f"({', '.join(map(str, lengths))})",
        )
    dtype = value.dtype or "float32"
    limits = _limits(model, name)
    if "mask" in name.lower():
        return _mask(generator, lengths, dtype)
    if "int" in dtype or dtype == "bool" or limits:
        below = 2 if dtype == "bool" else min(limits, default=_MOST_IDS)
        ids: Array = generator.integers(0, below, lengths).astype(dtype)
        return ids
    numbers: Array = generator.standard_normal(lengths).astype("float32" if dtype == "bfloat16" else dtype)
    return numbers


def _mask(generator: Any, lengths: tuple[int, ...], dtype: str) -> Array:
    """Return zeros and ones; the first entry of each row is one, so that no softmax is left without any."""
    mask: Array = generator.integers(0, 2, lengths).astype(dtype)
    mask[..., :1] = 1
    return mask


def _limits(model: Model, name: str) -> list[int]:
    """Return the numbers of entries of the tables in which an input's values are looked up."""
    layers = {layer.path: layer for layer in model.layers}
    found: list[int] = []
    alike = {name}
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or not alike & {*call.inputs}:
            continue
        if layer.kind in _UNCHANGED:
            alike |= {*call.outputs}
        size = layer.attributes.get("num_embeddings")
        if not isinstance(size, int) and layer.kind == "gather" and call.inputs[-1] in alike:
            table = next((weight.shape for weight in layer.weights if weight.shape), ())
            size = table[0] if table else None
        if isinstance(size, int):
            found.append(size)
    return found


def as_other_takes(arrays: Sequence[Array], a: Model, b: Model) -> list[Array]:
    """Bring the inputs of one model into the other's order of axes.

    Args:
        arrays: the first model's inputs.
        a: the first model.
        b: the second one.

    Raises:
        UsageError: if the models have different numbers of inputs, or an input of the second one has other
            lengths in every order.
    """
    if len(a.inputs) != len(b.inputs):
        raise UsageError(
            "the models take different numbers of inputs",
            got=f"{len(a.inputs)} ({', '.join(a.inputs)}) in A, {len(b.inputs)} ({', '.join(b.inputs)}) in B",
        )
    names = list(b.inputs)
    if set(a.inputs) == set(names):
        names = list(a.inputs)
    found = {
        name: _arranged(array, (a.values.get(first), b.values.get(name)), (a, b), name)
        for array, first, name in zip(arrays, a.inputs, names, strict=True)
    }
    return [found[name] for name in b.inputs]


def _arranged(
    array: Array, values: tuple[Value | None, Value | None], models: tuple[Model, Model], name: str
) -> Array:
    source, target = values
    shape = target.shape if target is not None else None
    table_a, table_b = (native_table(model.framework) for model in models)
    for order in _orders(array.ndim, source, target, table_a, table_b):
        lengths = tuple(array.shape[axis] for axis in order)
        if shape is None or (
            len(shape) == len(lengths)
            and all(dim == length for dim, length in zip(shape, lengths, strict=True) if isinstance(dim, int))
        ):
            moved: Array = array.transpose(order)
            dtype = target.dtype if target is not None else None
            return moved.astype(dtype) if dtype and "float" not in dtype else moved
    raise UsageError(
        f'the input of A does not fit "{name}" of B in any order of its axes',
        expected=f"({', '.join(map(str, shape or ()))})",
        got=str(array.shape),
        hint="give both: --input for A, --input-b for B",
    )


def _orders(
    rank: int,
    source: Value | None,
    target: Value | None,
    table_a: NativeTable | None,
    table_b: NativeTable | None,
) -> list[tuple[int, ...]]:
    """Return the orders to be tried, the likeliest first: by letters, by the frameworks' habits, as it is."""
    orders: list[tuple[int, ...]] = []
    axes_a = source.axes if source is not None else None
    axes_b = target.axes if target is not None else None
    if axes_a and axes_b and set(axes_a) == set(axes_b) and len(set(axes_a)) == len(axes_b) == rank:
        orders.append(tuple(axes_a.index(axis) for axis in axes_b))
    stays = tuple(range(rank))
    to_last, to_first = (0, *stays[2:], 1), (0, rank - 1, *stays[1:-1])
    if rank >= _IMAGE:
        last_a, last_b = (table is not None and table.channels_last for table in (table_a, table_b))
        orders += [to_last if last_b else to_first] if last_a != last_b else []
    orders.append(stays)
    if rank >= _IMAGE - 1:
        orders += [to_last, to_first]
    return orders
