"""The weights of a live Keras layer: roles, layouts, and which of them are tied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dtypes import element_bits
from shapeinspect.ir import Layer, Weight
from shapeinspect_keras.tracing.graph import keras_class
from shapeinspect_keras.vocabulary.parts import bind, part_roles, parts
from shapeinspect_keras.vocabulary.quantized import folded

#: What Keras calls a variable that is given no name.
_UNNAMED = "variable"


@dataclass(frozen=True, slots=True)
class Held:
    """A variable and the role it has in its layer."""

    role: str
    variable: Any


def held(layer: Any, config: Mapping[str, Any] | None, *, folded: bool) -> tuple[Held, ...]:
    """List a layer's variables by role, each once.

    Args:
        layer: the layer.
        config: its settings; None if they are unknown.
        folded: whether the variables of the layers inside it are shown as its own.
    """
    result = list(_by_parts(layer, config or {})) if folded else []
    wanted = list(layer.weights) if folded else _own(layer)
    have = {id(item.variable) for item in result}
    if {id(item) for item in wanted} != have:
        result = list(_by_tree(layer, "") if folded else (Held(item.name, item) for item in wanted))
    seen: set[int] = set()
    kept = []
    for item in result:
        if id(item.variable) not in seen:
            seen.add(id(item.variable))
            kept.append(item)
    return tuple(_distinct(kept))


def _own(layer: Any) -> list[Any]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _by_parts(layer: Any, config: Mapping[str, Any]) -> Iterator[Held]:
    name = keras_class(layer)
    for part in parts(name, config) if name else ():
        holder = layer
        for attribute in filter(None, part.stored.split("/")):
            if isinstance(holder, list | tuple):
                number = part.prefix.rstrip("/").rpartition("/")[2]
                holder = holder[int(number)] if number.isdecimal() and int(number) < len(holder) else None
            else:
                holder = getattr(holder, attribute, None)
        if holder is not None:
            own = _own(holder)
            roles = part_roles(part, len(own)) or ("",) * len(own)
            for role, variable in zip(roles, own, strict=True):
                # The name is the role unless the layer gave none: quantized layers have another order.
                named = variable.name != _UNNAMED or not role
                yield Held(part.prefix + variable.name if named else role, variable)


def _by_tree(layer: Any, prefix: str) -> Iterator[Held]:
    for variable in _own(layer):
        yield Held(prefix + variable.name, variable)
    for inner in layer._layers:
        yield from _by_tree(inner, f"{prefix}{inner.name}/")


def _distinct(result: Sequence[Held]) -> Iterator[Held]:
    counts: dict[str, int] = {}
    for item in result:
        number = counts[item.role] = counts.get(item.role, -1) + 1
        yield replace(item, role=f"{item.role}_{number}") if number else item


def weights(
    path: str, layer: Any, config: Mapping[str, Any] | None, result: Sequence[Held]
) -> tuple[tuple[Weight, int], ...]:
    """Describe a layer's variables, each with the identity of its storage.

    Args:
        path: the layer's path.
        layer: the layer.
        config: its settings.
        result: its variables by role.
    """
    listed = tuple(_weight(path, layer, config, item) for item in result)
    name = keras_class(layer)
    built = layer.get_build_config() if name else None
    listed = folded(listed, name, config or {}, (built or {}).get("input_shape")) if name else listed
    return tuple((weight, id(item.variable)) for weight, item in zip(listed, result, strict=True))


def _weight(path: str, layer: Any, config: Mapping[str, Any] | None, item: Held) -> Weight:
    import keras

    shape = tuple(int(length) for length in item.variable.shape)
    dtype = keras.backend.standardize_dtype(item.variable.dtype)
    name = keras_class(layer)
    layout = bind(name, config or {}, item.role, shape) if name else None
    count, bits = 1, element_bits(dtype)
    for length in shape:
        count *= length
    variable = item.variable
    return Weight(
        f"{path}/{item.role}",
        item.role,
        shape,
        dtype,
        None if bits is None else (count * bits + 7) // 8,
        bool(variable.trainable),
        layout,
        values=(lambda: keras.ops.convert_to_numpy(variable)) if variable._value is not None else None,
        key=variable.path,
    )


def tied(layers: Sequence[tuple[Layer, Sequence[int]]]) -> tuple[Layer, ...]:
    """Give weights that share a variable a storage key: the name of the first of them.

    Args:
        layers: each layer with the identity of every weight's variable.
    """
    names: dict[int, list[str]] = {}
    for layer, keys in layers:
        for weight, key in zip(layer.weights, keys, strict=True):
            names.setdefault(key, []).append(weight.name)
    done = []
    for layer, keys in layers:
        pairs = zip(layer.weights, keys, strict=True)
        marked = tuple(
            replace(weight, storage=names[key][0]) if len(names[key]) > 1 else weight for weight, key in pairs
        )
        done.append(replace(layer, weights=marked))
    return tuple(done)
