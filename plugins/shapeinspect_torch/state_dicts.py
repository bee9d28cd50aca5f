"""Whether a live object is a state dict, told without importing anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

_TENSOR = ("torch", "Tensor")
_ARRAY = ("numpy", "ndarray")
#: How many entries are looked at before a mapping is taken for something else.
_LOOKED_AT = 10_000


def is_tensor(value: object) -> bool:
    """Tell whether a value is a tensor of torch's, by the names of its classes.

    Args:
        value: any object.

    Example:
        >>> is_tensor(3)
        False
    """
    return _inherits(value, _TENSOR)


def is_array(value: object) -> bool:
    """Tell whether a value is an array of NumPy's, by the names of its classes.

    Args:
        value: any object.

    Example:
        >>> import numpy
        >>> is_array(numpy.zeros(3)), is_array([0, 0, 0])
        (True, False)
    """
    return _inherits(value, _ARRAY)


def _inherits(value: object, name: tuple[str, str]) -> bool:
    return any((base.__module__, base.__name__) == name for base in type(value).__mro__)


def is_state_dict(value: object) -> bool:
    """Tell whether a value is a mapping that holds tensors or arrays, also in mappings and lists inside it.

    Args:
        value: any object.

    Example:
        >>> import numpy
        >>> is_state_dict({"model": {"fc.weight": numpy.zeros((3, 5))}}), is_state_dict({"lr": 0.1})
        (True, False)
    """
    if not isinstance(value, Mapping):
        return False
    waiting: list[Iterable[object]] = [value]
    seen = {id(value)}
    left = _LOOKED_AT
    while waiting and left > 0:
        node = waiting.pop(0)
        held = list(islice(node.values() if isinstance(node, Mapping) else node, left))
        left -= len(held)
        for one in held:
            if is_tensor(one) or is_array(one):
                return True
            if isinstance(one, Mapping | list | tuple) and id(one) not in seen:
                seen.add(id(one))
                waiting.append(one)
    return False
