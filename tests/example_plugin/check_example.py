"""Run inside the environment into which the example is installed: the public contract suite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shapeinspect.source import from_path
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
        path = folder / "net.shapes.json"
        path.write_text(json.dumps({"shapes": ROWS}))
        return [Case(from_path(path), params=5 * 7 * 3 * 11 + 13 * 4)]
