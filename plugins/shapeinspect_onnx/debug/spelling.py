"""Writes changes of a graph in ONNX's words, and changes of what it is fed in NumPy's."""

from __future__ import annotations

from shapeinspect.frozen import Frozen
from shapeinspect.plugin_api.arrays.numpy_text import in_numpy
from shapeinspect.plugin_api.changes import InsteadOf, OnCall, OnLayer, OnOperand, Wording

#: Settings of the vocabulary that ONNX calls otherwise.
_ATTRIBUTES = {"axes": "perm"}


def spell(change: Wording, name: str) -> str:
    """Write a change; see ``shapeinspect.plugin_api.rerun.Rerun.spell``.

    Args:
        change: the change.
        name: what the tensor is called.

    Example:
        >>> spell(OnLayer("turn", Frozen(axes=(0, 2, 1))), "")
        'perm=(0, 2, 1) in "turn"'
    """
    if isinstance(change, OnOperand) and [step for step, _ in change.steps] == ["interpolate"]:
        return f"a Resize of {name} to {'×'.join(map(str, change.steps[0][1]))}"
    if isinstance(change, InsteadOf) and change.steps == (("flatten", 1),):
        return f'a Flatten in place of "{change.path}"'
    if isinstance(change, OnLayer) and "transposed" in change.attributes:
        return f'the weight of "{change.path}" transposed (transB of a Gemm)'
    if isinstance(change, OnLayer):
        return in_numpy(OnLayer(change.path, _renamed(change.attributes)), name)
    if isinstance(change, OnCall):
        return in_numpy(OnCall(_renamed(change.attributes)), name)
    return in_numpy(change, name)


def _renamed(attributes: Frozen[object]) -> Frozen[object]:
    return Frozen({_ATTRIBUTES.get(key, key): value for key, value in attributes.items()})
