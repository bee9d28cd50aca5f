"""What changes make of the arguments and the results of one call, while a model runs with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.changes import Around, Exchanged, OnCall, OnOperand
from shapeinspect_torch.debug.calls.anchors import Placed, of_kind
from shapeinspect_torch.debug.calls.edits import stepped
from shapeinspect_torch.tracing.pytree import rebuild
from shapeinspect_torch.tracing.recorder import Recorder


@dataclass(frozen=True, slots=True)
class EditedCall:
    """A call that is about to run, and the changes of the run.

    Args:
        position: how many calls were recorded before it.
        name: its function, or the path of its layer.
        recorder: what records the run.
        changes: the changes, with their places.
    """

    position: int
    name: str
    recorder: Recorder
    changes: tuple[Placed, ...]

    def operands(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Return the arguments with the changes of its operands; the same objects where there are none.

        Args:
            args: its arguments.
            kwargs: its keyword arguments.
        """
        edits = [change for change, place in of_kind(self.changes, OnOperand) if self._is_place_of(place)]
        return self._edited(edits, args, kwargs) if edits else (args, kwargs)

    def turned(self, args: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Permute the input of a layer; return it and the inverse permutation of the output.

        Args:
            args: its arguments.
        """
        asked = next(
            (
                item.change
                for item in self.changes
                if isinstance(item.change, Around | Exchanged) and self._is_place_of(item)
            ),
            None,
        )
        if asked is None or not args:
            return args, lambda outputs: outputs
        if isinstance(asked, Exchanged):
            return (args[1], args[0], *args[2:]), lambda outputs: outputs
        first, back = stepped(args[0], (("permute", asked.axes),)), asked.back
        return (first, *args[1:]), lambda outputs: stepped(outputs, (("permute", back),))

    def again(self, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Edit what fails at the line that failed first, in another layer of the same code; None for none.

        Args:
            args: its arguments.
            kwargs: its keyword arguments.
        """
        edits = [
            change
            for change, place in of_kind(self.changes, OnOperand)
            if change.call is None and place.anchor.is_like(self.position, self.name, self.recorder)
        ]
        return self._edited(edits, args, kwargs) if edits else None

    def settings(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Return the arguments with another axis or shape, where a change asks for one.

        Args:
            args: its arguments.
            kwargs: its keyword arguments.
        """
        for change, place in of_kind(self.changes, OnCall):
            if self._is_place_of(place):
                if "axis" in change.attributes:
                    return args[:1], {**kwargs, "dim": change.attributes["axis"]}
                if "shape" in change.attributes:
                    return (args[0], change.attributes["shape"]), {}
        return args, kwargs

    def _is_place_of(self, change: Placed) -> bool:
        return change.is_at(self.position, self.name, self.recorder)

    def _edited(self, edits: list[OnOperand], args: Any, kwargs: Any) -> tuple[Any, Any]:
        for edit in edits:
            for step, item in edit.steps:
                if step == "item":  # a layer got all outputs of another
                    return tuple(
                        argument[item] if isinstance(argument, tuple) else argument for argument in args
                    ), kwargs
        read = self.recorder.operands(self.name, args, kwargs)
        new = {id(read[edit.operand]): stepped(read[edit.operand], edit.steps) for edit in edits}
        return (
            rebuild(tuple(args), lambda tensor: new.get(id(tensor), tensor)),
            rebuild(dict(kwargs), lambda tensor: new.get(id(tensor), tensor)),
        )
