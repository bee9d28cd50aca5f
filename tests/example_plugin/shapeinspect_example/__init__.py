"""An adapter from outside: reads ``.shapes.json``, a list of layers with their weights' shapes."""

from __future__ import annotations

import json
from typing import Any

from shapeinspect.adapter import Adapter
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.layout import Row, Table
from shapeinspect.source import Source

TABLE = Table([Row("Conv", "weight", "*k i o", "o i *k"), Row("Dense", "weight", "i o", "o i")])
KINDS = {"Conv": "conv", "Dense": "linear"}


class ExampleAdapter(Adapter):
    """Reads ``{"shapes": [{"name": …, "type": …, "weight": [5, 5, 1, 6], "shared": …}, …]}``."""

    name = "example"
    framework = "example"
    formats = (".shapes.json",)

    def match(self, source: Source) -> int:
        """Recognise the first key, or the name's ending."""
        if source.head.lstrip().startswith(b'{"shapes"'):
            return 2
        return 1 if source.path is not None and source.path.name.endswith(".shapes.json") else 0

    def read(self, source: Source) -> Model:
        """Read every layer; a type that is not known stays unknown."""
        try:
            with source.open() as file:
                rows = json.load(file)["shapes"]
            layers = tuple(_layer(row) for row in rows)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableFileError(source.label, f"no list of shapes: {error}") from None
        return Model(source.label, "shapes-json", "example", self.name, layers)


def _layer(row: dict[str, Any]) -> Layer:
    shape = tuple(int(length) for length in row["weight"])
    size = 4
    for length in shape:
        size *= length
    weight = Weight(
        f"{row['name']}.weight",
        "weight",
        shape,
        "float32",
        size,
        layout=TABLE.bind(row["type"], "weight", len(shape)),
        storage=row.get("shared"),
    )
    return Layer(
        row["name"],
        KINDS.get(row["type"], "unknown"),
        row["type"],
        tuple(row["name"].split(".")),
        weights=(weight,),
    )


ADAPTER = ExampleAdapter()
