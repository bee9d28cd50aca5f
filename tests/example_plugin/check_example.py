"""Run inside the environment into which the example is installed: the public contract suite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case

ROWS = [
    {"name": "stem.conv", "type": "Conv", "weight": [5, 7, 3, 11]},
    {"name": "embed", "type": "Mystery", "weight": [13, 4], "shared": "table"},
    {"name": "head", "type": "Mystery", "weight": [13, 4], "shared": "table"},
]


class TestExample(AdapterContract):
    def entry_point(self) -> str:
        return "example"

    def cases(self, folder: Path) -> Sequence[Case]:
        weights, graph = folder / "net.shapes.json", folder / "graph.shapes.json"
        weights.write_text(json.dumps({"shapes": ROWS}))
        graph.write_text(json.dumps({"shapes": ROWS[:1], "input": [None, 28, 30, 3]}))
        conv, table = 5 * 7 * 3 * 11, 13 * 4
        return [Case(from_path(weights), params=conv + table), Case(from_path(graph), params=conv)]
