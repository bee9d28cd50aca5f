"""Only sizes with which a session was run are counted as tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shapeinspect_onnx.debug.baked import of_graph
from shapeinspect_onnx.debug.feeding import Fed


@dataclass
class _Session:
    """A session whose input has an open length, of which it takes one alone."""

    rank: int
    takes: int
    fed: list[int] = field(default_factory=list)

    def get_inputs(self) -> list[Any]:
        shape = ["length", *range(1, self.rank)]
        return [SimpleNamespace(name="x", shape=shape, type="tensor(float)")]

    def run(self, outputs: None, feed: dict[str, Any], options: object) -> None:
        del outputs, options
        self.fed.append(len(feed["x"]))
        if len(feed["x"]) != self.takes:
            raise ValueError


@pytest.mark.parametrize(("shape", "most"), [((5, 700_000), 5), ((40, 3), 1024)])
def test_what_is_too_large_is_not_counted(shape: tuple[int, ...], most: int) -> None:
    session = _Session(2, takes=3)
    found = of_graph(Fed(session, {"x": np.zeros(shape, "float32")}, None, "", None))
    assert max(session.fed) <= most
    assert session.fed.count(3) == 1
    assert (
        f"with {shape[0]} and {len(session.fed) - 1} other sizes that were tried it does not" in found.told[0]
    )
    assert found.sizes == ((shape[0], 3),)
