"""Shapes that Keras records without a call, by a formula that does not hold for every setting.

Source: ``keras/src/layers/rnn/bidirectional.py``: ``compute_output_shape`` doubles the width of the forward
layer, whatever the backward layer has, while ``call`` joins what the two layers return.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from shapeinspect.ir import Call, Layer, Value

_BY = "Keras's compute_output_shape"


def marked(layers: Iterable[Layer], calls: Iterable[Call], values: Mapping[str, Value]) -> dict[str, Value]:
    """Return values, of which those are marked as inferred that such a formula gave, and all that follow.

    Args:
        layers: the layers of the model.
        calls: their calls, in the order of execution.
        values: the values by name.
    """
    made = dict(values)
    unlike = {layer.path for layer in layers if layer.type == "Bidirectional" and layer.kind == "operation"}
    follows: set[str] = set()
    for call in calls if unlike else ():
        if call.layer in unlike or not follows.isdisjoint(call.inputs):
            follows.update(name for name in call.outputs if name)
    for name in follows & made.keys():
        if made[name].shape is not None:
            made[name] = replace(made[name], inferred_by=_BY)
    return made
