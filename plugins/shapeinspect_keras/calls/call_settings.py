"""The settings that are passed with a call of a layer, not to its constructor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect_keras.calls.arguments import Arguments
from shapeinspect_keras.calls.signatures import SIGNATURES

#: For each argument that is set: the settings of the vocabulary.
_SET: Mapping[str, Mapping[str, Any]] = {
    "return_attention_scores": {"need_weights": True, "average_weights": False},
    "use_causal_mask": {"is_causal": True},
    "reverse": {"reverse": True},
}


def call_settings(layer: str, arguments: Arguments) -> dict[str, Any]:
    """Return the settings of one call of a layer.

    Args:
        layer: its class.
        arguments: the arguments of the call.

    Example:
        >>> call_settings("Attention", Arguments(((), None, False, True)))
        {'need_weights': True, 'average_weights': False}
    """
    if layer not in SIGNATURES:
        return {}
    roles = arguments.by_role(layer)
    return {
        name: value
        for argument, settings in _SET.items()
        if roles.get(argument) is True
        for name, value in settings.items()
    }
