"""Describes one live layer or operation by its class, its settings and its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.weights import held, weights
from shapeinspect_keras.vocabulary.kinds import complete, describe

MODULE = "module"


def described(
    operation: Any, name: str | None, parts: tuple[str, ...], shapes: Sequence[Shape | None]
) -> tuple[Layer, tuple[int, ...]]:
    """Describe a layer or operation, and its weights with their variables' identities.

    Args:
        operation: the layer or operation.
        name: the Keras class that it behaves as, or None.
        parts: its path taken apart.
        shapes: the shape of each input of its first call.
    """
    import keras

    path, native = "/".join(parts), type(operation).__name__
    config = config_of(operation)
    kind, attributes = describe(name, config or {}, type(operation).__module__) if name else ("unknown", {})
    if not isinstance(operation, keras.Layer):
        return Layer(path, kind, native, parts, Frozen(attributes)), ()
    if graphs.functional(operation) is not None or (kind == "unknown" and name is None and operation._layers):
        kind, attributes = MODULE, {}
    result = held(operation, config, folded=kind != MODULE)
    listed = weights(path, operation, config, result)
    attributes = complete(kind, attributes, {weight.role: weight.shape for weight, _ in listed}, shapes)
    candidates: tuple[str, ...] = ()
    if kind == "unknown" and (base := graphs.keras_base(operation)) is not None:
        guess = describe(base, config or {}, "keras.layers")[0]
        candidates = () if guess == "unknown" else (guess,)
    layer = Layer(
        path, kind, native, parts, Frozen(attributes), tuple(item for item, _ in listed), candidates
    )
    return layer, tuple(key for _, key in listed)


def config_of(operation: Any) -> Mapping[str, Any] | None:
    """Return the settings of a layer or operation, None if it does not report them.

    Where its own ``get_config`` fails, the class of Keras that it is made from says what it has stored.

    Args:
        operation: the layer or operation.
    """
    config = _reported(operation, type(operation))
    if config is None:
        bases = (base for base in type(operation).__mro__ if base.__module__.partition(".")[0] == "keras")
        base = next((base for base in bases if "get_config" in vars(base)), None)
        config = _reported(operation, base) if base is not None else None
    if config is None:
        return None
    if "data_format" in config and config["data_format"] is None:  # the global default stands for it
        import keras

        return {**config, "data_format": keras.config.image_data_format()}
    return config


def doubt(operation: Any) -> str | None:
    """Return what is to be known of the settings of a layer that does not report them; None if it does.

    Args:
        operation: a layer that is made from one of Keras's.
    """
    if _reported(operation, type(operation)) is not None:
        return None
    failed = f"get_config() of {type(operation).__name__} fails"
    if config_of(operation) is None:
        return f"{failed}, so its settings are unknown"
    return f"{failed}; its settings are those of the Keras layer that it is made from"


def _reported(operation: Any, kind: Any) -> Mapping[str, Any] | None:
    try:
        config = kind.get_config(operation)
    except Exception:  # noqa: BLE001  # a user's layer may fail here
        return None
    return config if isinstance(config, Mapping) else None
