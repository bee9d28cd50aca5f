"""The contract that every adapter passes."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case

DATA = Path(__file__).parent / "data"


class TestFlax(AdapterContract):
    def entry_point(self) -> str:
        return "flax"

    def cases(self, folder: Path) -> Sequence[Case]:
        facts = json.loads((DATA / "facts.json").read_text())
        made = Path(shutil.copytree(DATA, folder / "data"))

        def total(rows: list[list[object]], start: str) -> int:
            return sum(math.prod(shape) for name, shape, _ in rows if str(name).startswith(start))

        return [
            Case(from_path(made / "net.msgpack"), total(facts["net"], "params/")),
            Case(from_path(made / "state.msgpack"), total(facts["state"], "params/")),
            Case(from_path(made / "ocdbt"), total(facts["orbax"], "params/")),
            Case(from_path(made / "files3"), total(facts["orbax"], "params/")),
        ]
