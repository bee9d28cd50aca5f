"""What changes make of the arguments and the results of one call, while a model runs with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapeinspect.plugin_api.changes import Around, Exchanged, OnCall, OnOperand
from shapeinspect_torch.debug.calls.anchors import Placed, of_kind
from shapeinspect_torch.debug.calls.edits import stepped
from shapeinspect_torch.tracing.pytree import rebuild
from shapeinspect_torch.tracing.recorder import Recorder


def operands(
    position: int,
    name: str,
    args: Any,
    kwargs: Any,
    recorder: Recorder,
    changes: tuple[Placed, ...],
) -> tuple[Any, Any]:
    """Return the arguments of a call with the changes of its operands; the same objects where there are none.

    Args:
        position: how many calls were recorded before it.
        name: its function, or the path of its layer.
        args: its arguments.
        kwargs: its keyword arguments.
        recorder: what records the run.
        changes: the changes, with their places.
    """
    edits = [change for change, place in of_kind(changes, OnOperand) if place.is_at(position, name, recorder)]
    return _edited(edits, name, args, kwargs, recorder) if edits else (args, kwargs)


def turned(
    position: int, name: str, args: Any, recorder: Recorder, changes: tuple[Placed, ...]
) -> tuple[Any, Callable[[Any], Any]]:
    """Permute the input of a layer; return it and the inverse permutation of the output.

    Args:
        position: how many calls were recorded before it.
        name: its function, or the path of its layer.
        args: its arguments.
        recorder: what records the run.
        changes: the changes, with their places.
    """
    asked = next(
        (
            item.change
            for item in changes
            if isinstance(item.change, Around | Exchanged) and item.is_at(position, name, recorder)
        ),
        None,
    )
    if asked is None or not args:
        return args, lambda outputs: outputs
    if isinstance(asked, Exchanged):
        return (args[1], args[0], *args[2:]), lambda outputs: outputs
    first, back = stepped(args[0], (("permute", asked.axes),)), asked.back
    return (first, *args[1:]), lambda outputs: stepped(outputs, (("permute", back),))


def again(
    position: int, name: str, args: Any, kwargs: Any, recorder: Recorder, changes: tuple[Placed, ...]
) -> tuple[Any, Any] | None:
    """Edit what fails at the line that failed first, in another layer of the same code; None for none.

    Args:
        position: how many calls were recorded before it.
        name: its function, or the path of its layer.
        args: its arguments.
        kwargs: its keyword arguments.
        recorder: what records the run.
        changes: the changes, with their places.
    """
    edits = [
        change
        for change, place in of_kind(changes, OnOperand)
        if change.call is None and place.anchor.is_like(position, name, recorder)
    ]
    return _edited(edits, name, args, kwargs, recorder) if edits else None


def _edited(edits: list[OnOperand], name: str, args: Any, kwargs: Any, recorder: Recorder) -> tuple[Any, Any]:
    for edit in edits:
        for step, item in edit.steps:
            if step == "item":  # a layer got all outputs of another
                return tuple(
                    argument[item] if isinstance(argument, tuple) else argument for argument in args
                ), kwargs
    read = recorder.operands(name, args, kwargs)
    new = {id(read[edit.operand]): stepped(read[edit.operand], edit.steps) for edit in edits}
    return (
        rebuild(tuple(args), lambda tensor: new.get(id(tensor), tensor)),
        rebuild(dict(kwargs), lambda tensor: new.get(id(tensor), tensor)),
    )


def settings(
    position: int,
    name: str,
    args: Any,
    kwargs: Any,
    recorder: Recorder,
    changes: tuple[Placed, ...],
) -> tuple[Any, Any]:
    """Return the arguments of a call with another axis or shape, where a change asks for one.

    Args:
        position: how many calls were recorded before it.
        name: its function, or the path of its layer.
        args: its arguments.
        kwargs: its keyword arguments.
        recorder: what records the run.
        changes: the changes, with their places.
    """
    for change, place in of_kind(changes, OnCall):
        if place.is_at(position, name, recorder):
            if "axis" in change.attributes:
                return args[:1], {**kwargs, "dim": change.attributes["axis"]}
            if "shape" in change.attributes:
                return (args[0], change.attributes["shape"]), {}
    return args, kwargs
