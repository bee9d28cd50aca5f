"""One side of a comparison: a model, and a layer with what its settings mean there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shapeinspect.compare.ahead import Ahead, ahead
from shapeinspect.compare.functions import canonical
from shapeinspect.dims import Shape
from shapeinspect.ir import Axes, Call, Layer, Model, calls_by_layer
from shapeinspect.plugin_api.native import NativeTable

#: What every framework computes whose layers of a kind, or of a function, have no such setting.
#: Source: the formulas: a softplus is log(1 + exp(x)), and a convolution pads with zeros.
_ALWAYS: tuple[tuple[str, str, Any], ...] = (
    ("conv", "padding_mode", "zeros"),
    ("pad", "value", 0.0),
    ("activation:softplus", "beta", 1.0),
)


@dataclass(frozen=True)
class ModelSide:
    """A model, and the table of its framework.

    Args:
        model: the model.
        table: what its framework stores for a layer of each kind, and what it implies; None if unknown.
    """

    model: Model
    table: NativeTable | None = None

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """The layers by path."""
        return {layer.path: layer for layer in self.model.layers}

    @cached_property
    def calls(self) -> Mapping[str, Sequence[Call]]:
        """The calls of each layer by its path."""
        return calls_by_layer(self.model.calls)

    @cached_property
    def makers(self) -> Mapping[str, tuple[Layer, Call]]:
        """The layer and the call that return each value."""
        known = ((self.layers.get(call.layer), call) for call in self.model.calls)
        return {
            name: (layer, call)
            for layer, call in known
            if layer is not None and layer.kind != "module"
            for name in call.outputs
        }

    @property
    def recorded(self) -> bool:
        """Whether the settings of its layers are recorded: a file of weights alone has none."""
        return bool(self.model.calls) or self.model.format == "live"

    @property
    def channels_last(self) -> bool | None:
        """Whether a flatten of an image puts the channels last; None where its framework does not say."""
        return None if self.table is None else self.table.channels_last

    def layer(self, layer: Layer, *, alone: bool = False) -> LayerSide:
        """Return a layer of this model with the lengths of its first input.

        Args:
            layer: the layer.
            alone: whether a padding that stands ahead of it is left out.
        """
        call = next(iter(self.calls.get(layer.path, ())), None)
        name = next((name for name in call.inputs if name), "") if call else ""
        value = self.model.values.get(name)
        shape = value.shape if value else None
        rank = None if shape is None else len(shape)
        found = None if alone else ahead(self.model, layer, call, self.makers)
        space = _space(shape if found is None else found.shape, layer)
        return LayerSide(layer, self, space, rank, value.axes if value else None, found)


@dataclass(frozen=True)
class LayerSide:
    """A layer of one side.

    Args:
        layer: the layer.
        side: its model.
        space: the lengths of its input's spatial axes; None if they are not known.
        rank: the number of its input's axes; None if it is not known.
        axes: the names of its input's axes; None if they are not known.
        ahead: the padding that stands ahead of it as a layer of its own; None if there is none.
    """

    layer: Layer
    side: ModelSide
    space: tuple[int, ...] | None = field(default=None)
    rank: int | None = field(default=None)
    axes: Axes | None = field(default=None)
    ahead: Ahead | None = field(default=None)

    @property
    def framework(self) -> str:
        """The framework whose conventions its settings follow."""
        return self.side.model.framework

    @property
    def momentum_of_new(self) -> bool:
        """Whether a momentum is the weight of the new batch; else it is that of the running average."""
        return self.side.table is not None and self.side.table.momentum_of_new

    def setting(self, name: str) -> Any:
        """Return a setting, or what the framework implies where its layers have no such setting.

        Args:
            name: the attribute.
        """
        value = self.layer.attributes.get(name)
        if self.ahead is not None and name in self.ahead.settings:
            return self.ahead.settings[name]
        if value is None:
            kinds = (self.layer.kind, f"{self.layer.kind}:{canonical(self.layer)}")
            implied = (
                *(self.side.table.implied if self.side.table is not None else ()),
                *(_ALWAYS if self.side.recorded else ()),
            )
            value = next((v for kind, attribute, v in implied if attribute == name and kind in kinds), None)
        return value


def _space(shape: Shape | None, layer: Layer) -> tuple[int, ...] | None:
    rank = len(layer.attributes.get("kernel_size") or ())
    if shape is None or not rank or len(shape) < rank + 2:
        return None
    last = layer.attributes.get("data_format") == "channels_last"
    lengths = shape[-rank - 1 : -1] if last else shape[-rank:]
    known = tuple(length for length in lengths if isinstance(length, int))
    return known if len(known) == len(lengths) else None
