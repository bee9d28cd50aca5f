"""Compares what two layers returned, whatever the order of their axes and wherever the activation stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shapeinspect.ir import Axes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: A batch of vectors has one order of axes.
_VECTORS = 2


def _softmax(x: Array) -> Array:
    import numpy as np

    powers = np.exp(x - x.max(-1, keepdims=True))
    result: Array = powers / powers.sum(-1, keepdims=True)
    return result


def _sigmoid(x: Array) -> Array:
    import numpy as np

    result: Array = 1.0 / (1.0 + np.exp(-x.astype("float64")))
    return result


def _numpy(function: Callable[[Any, Array], Any]) -> Callable[[Array], Array]:
    def applied(x: Array) -> Array:
        import numpy as np

        result: Array = function(np, x)
        return result

    return applied


def _gelu(x: Array) -> Array:
    import numpy as np

    erf = np.asarray(np.frompyfunc(math.erf, 1, 1)(x.astype("float64") / math.sqrt(2)), "float64")
    result: Array = x * (1 + erf) / 2
    return result


def _selu(x: Array) -> Array:
    import numpy as np

    result: Array = 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    return result


def _hard_sigmoid(x: Array) -> Array:
    import numpy as np

    result: Array = np.clip(x / 6 + 0.5, 0, 1)
    return result


def _softplus(x: Array) -> Array:
    import numpy as np

    result: Array = np.logaddexp(x, 0)
    return result


#: The activations that a layer may have inside, without further settings.
#: Source: https://keras.io/api/layers/activations
FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": _numpy(lambda np, x: np.maximum(x, 0)),
    "relu6": _numpy(lambda np, x: np.clip(x, 0, 6)),
    "tanh": _numpy(lambda np, x: np.tanh(x)),
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "silu": lambda x: x * _sigmoid(x),
    "swish": lambda x: x * _sigmoid(x),
    "softplus": _softplus,
    "gelu": _gelu,
    "selu": _selu,
    "leaky_relu": _numpy(lambda np, x: np.where(x > 0, x, 0.2 * x)),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "hard_swish": lambda x: x * _hard_sigmoid(x),
    "hard_tanh": _numpy(lambda np, x: np.clip(x, -1, 1)),
    "tanh_shrink": _numpy(lambda np, x: x - np.tanh(x)),
    "mish": _numpy(lambda np, x: x * np.tanh(_softplus(x))),
    "softsign": _numpy(lambda np, x: x / (1 + np.abs(x))),
    "log_softmax": _numpy(lambda np, x: np.log(_softmax(x))),
    "log_sigmoid": lambda x: -_softplus(-x),
    "celu": _numpy(lambda np, x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "elu": _numpy(lambda np, x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "exponential": _numpy(lambda np, x: np.exp(x)),
}


#: The same for those that have one setting, which stands for the usual value where the layer states another.
_SET: Mapping[str, tuple[str, Callable[[Array, float], Array]]] = {
    "leaky_relu": ("negative_slope", lambda x, slope: _numpy(lambda np, x: np.where(x > 0, x, slope * x))(x)),
    "elu": ("alpha", lambda x, alpha: _numpy(lambda np, x: np.where(x > 0, x, alpha * np.expm1(x)))(x)),
}


def with_activation(x: Array, name: str, settings: Mapping[str, Any] | None = None) -> Array | None:
    """Apply an activation that the other side has inside its layer; None if it is not one of the known.

    Args:
        x: what the layer returned, in any order of axes but with the channels last for a softmax.
        name: the activation.
        settings: its settings, where the layer states any.

    Example:
        >>> import numpy as np
        >>> with_activation(np.array([-1.0, 9.0]), "relu6")
        array([0., 6.])
        >>> with_activation(np.array([-1.0, 9.0]), "leaky_relu", {"negative_slope": 0.5})
        array([-0.5,  9. ])
    """
    for key, value in (settings or {}).items():
        setting, applied = _SET.get(name, ("", None))
        if key != setting or applied is None:
            return None
        return applied(x, float(value))
    function = FUNCTIONS.get(name)
    return None if function is None else function(x)


def aligned(a: Array, b: Array, axes_a: Axes | None, axes_b: Axes | None) -> list[Array]:
    """Bring the second array into the first one's order of axes, in each way in which it has its lengths.

    Args:
        a: what the first layer returned.
        b: what the second one returned.
        axes_a: the letters of the first one's axes; where both sides have them, they alone decide.
        axes_b: those of the second one's.

    Example:
        >>> import numpy as np
        >>> a, b = np.zeros((1, 2, 3, 4)), np.zeros((1, 3, 4, 2))
        >>> [x.shape for x in aligned(a, b, tuple("NCHW"), tuple("NHWC"))]
        [(1, 2, 3, 4)]
    """
    moved = [b.transpose(order) for order in _orders(a, b, axes_a, axes_b)]
    found = [array for array in moved if array.shape == a.shape]
    left, right = ([length for length in array.shape if length != 1] for array in (a, b))
    if not found and left == right:  # the one keeps an axis of length 1 that the other drops
        found = [b.reshape(a.shape)]
    return found


def _orders(a: Array, b: Array, axes_a: Axes | None, axes_b: Axes | None) -> list[tuple[int, ...]]:
    if a.ndim != b.ndim:
        return []
    if axes_a and axes_b and set(axes_a) == set(axes_b) and len(set(axes_a)) == len(axes_b) == a.ndim:
        return [tuple(axes_b.index(axis) for axis in axes_a)]
    stays = tuple(range(a.ndim))
    if a.ndim <= _VECTORS:
        return [stays]
    return list(dict.fromkeys((stays, (0, a.ndim - 1, *stays[1:-1]), (0, *stays[2:], 1))))
