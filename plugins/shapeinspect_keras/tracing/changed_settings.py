"""One setting of a layer or an operation, changed for a run: the value that another model has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapeinspect.plugin_api.loading_script import Setting

#: What a call does instead: given the layer and its own call.
Changed = Callable[[Any, Callable[..., Any]], Callable[..., Any]]

#: Settings that a layer or an operation reads at every call, by what Keras calls them.
_MORE = {
    "approximate": "approximate",
    "axis": "axis",
    "num_groups": "groups",
    "dilation": "dilation_rate",
    "mode": "interpolation",
    "threshold": "threshold",
}
#: What Keras calls the ways to resize that others call so.
_WORDS = {"linear": "bilinear", "cubic": "bicubic"}
_SLIDING = frozenset({"conv", "max_pool", "avg_pool"})


def attribute_of(layer: Any, setting: Setting) -> tuple[str | None, Any]:
    """Return the attribute that changes a setting, and its value; None if no attribute does.

    Args:
        layer: the layer or the operation.
        setting: which, and the value.
    """
    from shapeinspect_keras.vocabulary.loading_code import READ_AT_CALLS

    if setting.name == "function":
        return (
            ("activation", _function(setting.value))
            if callable(getattr(layer, "activation", None))
            else (None, None)
        )
    name = {**READ_AT_CALLS, **_MORE}.get(setting.name)
    if name is None or not hasattr(layer, name):
        return None, None
    value = setting.value != "none" if name == "approximate" else setting.value
    if name == "interpolation":
        value = _WORDS.get(str(value), value)
    return name, value


def _function(name: str) -> Any:
    import keras

    return keras.activations.get(None if name in ("none", "linear") else name)


def call_with(layer: Any, setting: Setting) -> Changed | None:
    """Return what does another thing than a layer's call; None where that is not known.

    Args:
        layer: the layer.
        setting: which, and the value.
    """
    if setting.name == "function" and not getattr(layer, "weights", True):
        chosen = _function(setting.value)
        return lambda layer, call: lambda x, *args, **kwargs: chosen(x)
    if setting.name == "mean and variance" and hasattr(layer, "moving_variance"):
        return _exchanged
    if setting.name == "padding" and setting.kind in _SLIDING and hasattr(layer, "padding"):
        return lambda layer, call: _padded(layer, call, setting)
    return None


def _exchanged(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        mean, variance = layer.moving_mean, layer.moving_variance
        for name, value in (("moving_mean", variance), ("moving_variance", mean)):
            object.__setattr__(layer, name, value)
        try:
            return call(*args, **kwargs)
        finally:
            for name, value in (("moving_mean", mean), ("moving_variance", variance)):
                object.__setattr__(layer, name, value)

    return run


def _padded(layer: Any, call: Callable[..., Any], setting: Setting) -> Callable[..., Any]:
    def run(x: Any, *args: Any, **kwargs: Any) -> Any:
        import keras

        ends = [tuple(pair) for pair in setting.value]
        last = getattr(layer, "data_format", None) != "channels_first"
        pads = [(0, 0), *ends, (0, 0)] if last else [(0, 0), (0, 0), *ends]
        old = layer.padding
        object.__setattr__(layer, "padding", "valid")
        value = float("-inf") if setting.kind == "max_pool" else 0.0
        try:
            return call(keras.ops.pad(x, pads, constant_values=value), *args, **kwargs)
        finally:
            object.__setattr__(layer, "padding", old)

    return run
