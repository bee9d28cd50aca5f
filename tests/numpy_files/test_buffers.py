"""What an archive holds beside weights: no optimizer changes it, so it is no parameter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shapeinspect import inspect

ASIDE = {
    "steps": np.int64(7),
    "rounds": np.int32(7),
    "ids": np.arange(6),
    "mask": np.zeros(4, bool),
    "key": np.zeros(2, np.uint32),
    "labels": np.array(["cat", "dog"]),
}
WEIGHTS = {
    "kernel": np.zeros((3, 5), np.float32),
    "codes": np.zeros((3, 7), np.int8),
    "words": np.zeros((2, 11), np.uint32),
    "sums": np.zeros(13, np.int32),
}


@pytest.mark.parametrize("name", [*ASIDE, *WEIGHTS])
def test_an_array_is_a_buffer_or_a_weight(name: str, tmp_path: Path) -> None:
    array = np.asarray({**ASIDE, **WEIGHTS}[name])
    np.savez(tmp_path / "net.npz", **{name: array, "other": np.zeros((2, 2), np.float16)})
    totals = inspect(tmp_path / "net.npz").totals
    aside = array.size if name in ASIDE else 0
    assert (totals.params, totals.buffers) == (4 + array.size - aside, aside)
