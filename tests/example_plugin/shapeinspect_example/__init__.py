"""An adapter from outside: reads ``.shapes.json``, layers with their weights' shapes, one after another."""

from __future__ import annotations

import json
import math
from typing import Any

from shapeinspect.dims import symbol
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Note, Value, Weight
from shapeinspect.layout import Row, Table
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source

TABLE = Table([Row("Conv", "weight", "*k i o", "o i *k"), Row("Dense", "weight", "i o", "o i")])


class ExampleAdapter(Adapter):
    """Reads ``{"shapes": [{"name": …, "type": …, "weight": [5, 5, 1, 6]}], "input": [null, 28, 30, 1]}``."""

    name = "example"
    framework = "example"
    formats = (".shapes.json",)

    def match(self, source: Source) -> int:
        """Recognise the first key, or the name's ending."""
        if source.head.lstrip().startswith(b'{"shapes"'):
            return 2
        return 1 if source.name.endswith(".shapes.json") else 0

    def read(self, source: Source) -> Model:
        """Read every layer; a type that is not known stays unknown."""
        try:
            with source.open() as file:
                told = json.load(file)
            layers = tuple(_layer(row) for row in told["shapes"])
            fed = told.get("input")
            shape = None if fed is None else tuple(symbol("N") if n is None else int(n) for n in fed)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableFileError(source.label, f"no list of shapes: {error}") from None
        model = (source.label, "shapes-json", self.framework, self.name, layers)
        if shape is None:
            return Model(*model, notes=(Note("the file says nothing of an input"),))
        # Only the input's shape is told: the arithmetic of the kinds finds the others.
        names = ["input", *(f"{layer.path}.out" for layer in layers)]
        calls = tuple(Call(layer.path, (names[i],), (names[i + 1],)) for i, layer in enumerate(layers))
        values = Frozen({name: Value(name, shape if name == "input" else None) for name in names})
        return Model(*model, calls, values, inputs=("input",), outputs=(names[-1],))


def _layer(row: dict[str, Any]) -> Layer:
    name, native, shape = str(row["name"]), str(row["type"]), tuple(int(n) for n in row["weight"])
    layout = TABLE.bind(native, "weight", len(shape))
    shared = row.get("shared")
    size = 4 * math.prod(shape)
    weight = Weight(f"{name}.weight", "weight", shape, "float32", size, layout=layout, storage=shared)
    kind, attributes = _settings(native, shape)
    return Layer(name, kind, native, tuple(name.split(".")), attributes, (weight,))


def _settings(native: str, shape: tuple[int, ...]) -> tuple[str, Frozen[Any]]:
    match native, shape:
        case "Conv", (*kernel, i, o):
            channels = Frozen({"in_channels": i, "out_channels": o, "data_format": "channels_last"})
            return "conv", Frozen({**channels, "kernel_size": tuple(kernel), "padding": "valid"})
        case "Dense", (i, o):
            return "linear", Frozen({"in_features": i, "out_features": o})
    return "unknown", Frozen()


ADAPTER = ExampleAdapter()
