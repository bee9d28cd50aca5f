"""Refusals of torch's that depend on numbers or values: a run without numbers has to repeat them."""

from __future__ import annotations

from typing import Any

#: The message of torch about an unpooling index out of range.
OF_PLACES = "invalid max index"


def refuse_places(pooled: dict[int, tuple[int, ...]], args: Any, outputs: Any) -> None:
    """Raise for unpooling into a smaller shape than was pooled; the indices themselves have no data.

    Args:
        pooled: the input shape of each pool so far, by the ``id`` of the indices that it returned.
        args: the arguments of a layer.
        outputs: what it returned.

    Raises:
        RuntimeError: if an index lies outside.
    """
    if isinstance(outputs, tuple) and len(outputs) == 2 and args and hasattr(args[0], "shape"):
        pooled[id(outputs[1])] = tuple(args[0].shape)  # a pool that returns indices too
    elif len(args) > 1 and id(args[1]) in pooled:
        before, after = pooled[id(args[1])], tuple(outputs.shape)
        if any(a > b for a, b in zip(before[2:], after[2:], strict=False)):
            raise RuntimeError(f"{OF_PLACES}: indices into {before[2:]}, but the output is {after[2:]}")


def refuse_one_value(kind: str, module: Any, args: tuple[Any, ...]) -> None:
    """Raise for normalization over one value in training, which the trace itself accepts.

    Args:
        kind: ``batch_norm`` or ``instance_norm``.
        module: the layer.
        args: its arguments.

    Raises:
        ValueError: if there is one value for each channel.
    """
    if not args or not (module.training or getattr(module, "running_mean", None) is None):
        return
    shape = tuple(args[0].shape)
    space = shape[2:] if len(shape) > 1 else ()
    count = 1
    for length in space if kind == "instance_norm" else (*shape[:1], *space):
        count *= length
    if count == 1 and len(shape) > 1:
        what = "spatial element" if kind == "instance_norm" else "value per channel"
        raise ValueError(f"Expected more than 1 {what} when training, got input size {shape}")
