"""Spells a debugger's changes in Keras, or in NumPy where they concern data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.plugin_api.changes import (
    FewerStates,
    InsteadOf,
    MoreSamples,
    OnCall,
    OnInput,
    OnLayer,
    OnOperand,
    Step,
    Wording,
    reshaped,
)

_Write = Callable[[str, Any], str]

_DATA: dict[str, _Write] = {
    "permute": lambda x, axes: f"np.transpose({x}, {axes})",
    "unsqueeze": lambda x, axis: f"np.expand_dims({x}, {axis})",
    "squeeze": lambda x, axis: f"np.squeeze({x}, {axis})",
    "flatten": lambda x, first: f"{x}.reshape(*{x}.shape[:{first}], -1)",
    "reshape": lambda x, shape: f"{x}.reshape{shape}",
    "resize": lambda x, shape: f"{x} of shape {shape}",
    "crop": lambda x, shape: f"{x}[{', '.join(f':{length}' for length in shape)}]",
    "channels": lambda x, given: (
        f"np.mean({x}, {given[0]}, keepdims=True)" if given[1] == 1
        else f"np.repeat({x}, {given[1]}, {given[0]})" if given[2] == 1
        else f"{x}[..., :{given[1]}]"
    ),
    "argmax": lambda x, axis: f"np.argmax({x}, {axis})",
    "shift": lambda x, by: f"{x} {'+' if by > 0 else '-'} {abs(by)}",
    "one_hot": lambda x, count: f"keras.utils.to_categorical({x}, {count})",
}  # fmt: skip
_LAYERS: dict[str, _Write] = {
    "permute": lambda x, axes: (
        f"layers.Permute({axes[1:]})({x})" if axes[0] == 0 else f"keras.ops.transpose({x}, {axes})"
    ),
    "unsqueeze": lambda x, axis: f"keras.ops.expand_dims({x}, {axis})",
    "squeeze": lambda x, axis: f"keras.ops.squeeze({x}, {axis})",
    "flatten": lambda x, first: (
        f"layers.Flatten()({x})" if first == 1 else f"keras.ops.reshape({x}, (*{x}.shape[:{first}], -1))"
    ),
    "reshape": lambda x, shape: f"keras.ops.reshape({x}, {shape})",
    "resize": lambda _x, shape: f"keras.Input(shape={tuple(shape[1:])})",
    "crop": lambda x, shape: f"{x}[:, {', '.join(f':{length}' for length in shape[1:])}]",
    "interpolate_last": lambda x, space: f"layers.Resizing{space}({x})",
    "adaptive_pool_last": lambda x, space: (
        f"layers.GlobalAveragePooling{len(space)}D(keepdims=True)({x})" if set(space) == {1}
        else f"layers.AdaptiveAveragePooling{len(space)}D({space})({x})"
    ),
    "project_last": lambda x, given: (
        f"layers.Conv{given[2]}D({given[0]}, 1, strides={given[1]})({x})" if given[2]
        else f"layers.Dense({given[0]})({x})"
    ),
}  # fmt: skip
#: What is written of an array of another size whose making is the user's.
_WITHOUT: _Write = _DATA["resize"]
#: Settings of the vocabulary with another name in Keras.
_SETTINGS = {
    "out_features": "units", "out_channels": "filters", "num_embeddings": "input_dim",
    "embedding_dim": "output_dim", "hidden_size": "units", "shape": "target_shape", "stride": "strides",
}  # fmt: skip
_INPUTS = frozenset({"in_features", "in_channels", "input_size"})


def _resizing(old: tuple[Any, ...], new: tuple[Any, ...]) -> _Write | None:
    """Return how pictures are resized, or steps padded and cut; None for other arrays."""
    if len(old) != len(new) or len(new) < 3:
        return None
    moved = [axis for axis, (a, b) in enumerate(zip(old, new, strict=True)) if a != b and axis]
    if len(new) == 4 and moved == [1, 2]:
        return lambda x, shape: f"keras.ops.image.resize({x}, {tuple(shape[1:3])})"
    if moved != [1] or not isinstance(old[1], int):
        return None
    if new[1] < old[1]:
        return lambda x, shape: f"{x}[:, :{shape[1]}]"
    widths = ", ".join("(0, 0)" if axis != 1 else f"(0, {new[1] - old[1]})" for axis in range(len(new)))
    return lambda x, _shape: f"np.pad({x}, ({widths}))"


def after(step: Step, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a symbol's shape after a step; its batch may be open and stays.

    Args:
        step: as for ``shapeinspect.plugin_api.changes.reshaped``.
        shape: the symbol's shape; None for an open length.

    Example:
        >>> after(("crop", (8, 5)), (None, 7))
        (None, 5)
    """
    name, given = step
    return (*shape[:1], *given[1:]) if name in ("crop", "resize") else reshaped(step, shape)


@dataclass(frozen=True, slots=True)
class Speller:
    """Spells changes to one call.

    Args:
        data: whether the inputs are data (NumPy arrays) and not symbols.
        shapes: what each input was given.
        called: what the user's statement calls each input, by its name.
        batch: the statement of a generator that gives a batch, and the expression of the inputs in it.
        declared: writes the user's declaration of an input's shape with another shape, where there is one.
        validation: whether the inputs are those of the validation, which the same call is given.
    """

    data: bool
    shapes: Mapping[str, Any]
    called: Mapping[str, str] = field(default_factory=dict)
    batch: tuple[str, str] | None = None
    declared: Callable[[tuple[Any, ...], tuple[Any, ...]], str | None] | None = None
    validation: bool = False

    def __call__(self, change: Wording, name: str) -> str:
        """Spell one change; see ``shapeinspect.plugin_api.rerun.Rerun.spell``."""
        if isinstance(change, OnInput | OnOperand):
            is_data = self.data and isinstance(change, OnInput)
            if isinstance(change, OnInput) and not self.data:
                old = tuple((self.shapes.get(change.name) or (1,))[1:])
                return self._redeclared(old, self._after(change)) or (
                    f"{name} = keras.Input(shape={self._after(change)})"
                )
            statement, inputs = self.batch or ("", "")
            if isinstance(change, OnInput) and is_data:
                name = inputs or self.called.get(name, name)
            for step, given in change.steps:
                write = (_DATA if is_data else _LAYERS).get(step) or _DATA.get(step) or _LAYERS.get(step)
                if step == "resize" and is_data and isinstance(change, OnInput):
                    write = self._resized(change.name, given) or _WITHOUT
                    name = change.name if write is _WITHOUT else name
                name = write(name, given) if write is not None else f"{step} {given} of {name}"
            if inputs and is_data and inputs in name:
                return f"{statement.replace(inputs, name, 1)} instead of {statement}"
            return name
        if not isinstance(change, OnLayer | OnCall):
            return _sentence(change)
        if "sparse" in change.attributes:
            kind = (
                "sparse_categorical_crossentropy"
                if change.attributes["sparse"]
                else "categorical_crossentropy"
            )
            return f'loss="{kind}"'
        if isinstance(change, OnLayer) and not _INPUTS.isdisjoint(change.attributes):
            count = next(value for key, value in change.attributes.items() if key in _INPUTS)
            others = [item for item in change.attributes.items() if item[0] not in _INPUTS]
            given = next((shape for shape in self.shapes.values() if shape), None)
            if given is not None and given[-1] == count and not others:
                return self._redeclared((), tuple(given[1:])) or f"keras.Input(shape={tuple(given[1:])})"
            # This is not a setting: it follows from the first call, or from the declared input.
            what = "channels" if "in_channels" in change.attributes else "features"
            also = "".join(f"{self._setting(key, value)} and " for key, value in others)
            return "" if "/" in change.path else f'{also}{count} input {what} for "{change.path}"'
        text = ", ".join(self._setting(key, value) for key, value in change.attributes.items())
        return f'{text} in "{change.path}"' if isinstance(change, OnLayer) else text

    def _resized(self, name: str, given: tuple[Any, ...]) -> _Write | None:
        """Return how an array of another size is made from the user's own one, where it has a name."""
        known = name in self.called or self.batch is not None
        return _resizing(tuple(self.shapes.get(name) or ()), given) if known else None

    def _redeclared(self, old: tuple[Any, ...], new: tuple[Any, ...]) -> str | None:
        """Write the user's declaration of a shape with another one."""
        return None if self.declared is None else self.declared(old, new)

    def _after(self, change: OnInput) -> tuple[Any, ...]:
        """Return an input's shape after some steps, without its batch."""
        shape: Any = (1, *(self.shapes.get(change.name) or (1,))[1:])
        for step in change.steps:
            shape = after(step, shape)
        return tuple(shape[1:])

    def _setting(self, key: str, value: Any) -> str:
        if isinstance(value, tuple) and key != "shape" and len(set(value)) == 1:
            value = value[0]
        return (
            f'{_SETTINGS.get(key, key)}="{value}"'
            if isinstance(value, str)
            else f"{_SETTINGS.get(key, key)}={value}"
        )


def _sentence(change: Wording) -> str:
    """Spell a change that needs no tensor name."""
    if isinstance(change, InsteadOf):
        name = "x"
        for step, argument in change.steps:
            name = _LAYERS[step](name, argument)
        return f'{name.removesuffix("(x)")} in place of "{change.path}"'
    if isinstance(change, MoreSamples):
        return (
            f"feed at least {change.count} samples a batch "
            "(batch(drop_remainder=True) drops a smaller last one)"
        )
    if isinstance(change, FewerStates):
        return f"cut the state to the batch, [:, :{change.batch}] (or batch(drop_remainder=True))"
    return str(change)
