"""The contract that every adapter passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case


class TestNumpy(AdapterContract):
    def entry_point(self) -> str:
        return "numpy"

    def cases(self, folder: Path) -> Sequence[Case]:
        arrays = {"a/kernel": np.zeros((3, 5), np.float32), "a/bias": np.zeros(5), "step": np.int64(3)}
        np.savez(folder / "m.npz", **arrays)
        np.savez_compressed(folder / "z.npz", **arrays)
        np.save(folder / "one.npy", np.zeros((2, 7, 11), np.uint8))
        return [
            Case(from_path(folder / "m.npz"), 3 * 5 + 5),  # a number of steps is no parameter
            Case(from_path(folder / "z.npz"), 3 * 5 + 5),
            Case(from_path(folder / "one.npy"), 2 * 7 * 11),
        ]
