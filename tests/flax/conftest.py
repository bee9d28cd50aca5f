"""Checkpoints that Flax and Orbax wrote (``make_facts.py``), and what JAX says of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

#: It needs flax, which the tests do not.
collect_ignore = ["make_facts.py"]

_DATA = Path(__file__).parent / "data"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the checkpoints."""
    return Path(shutil.copytree(_DATA, tmp_path / "data"))


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    """What JAX says of them."""
    found: dict[str, Any] = json.loads((_DATA / "facts.json").read_text())
    return found


def _packed(value: object) -> msgpack.ExtType:
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        triple = msgpack.packb((array.shape, array.dtype.name, array.tobytes()))
        return msgpack.ExtType(1 if isinstance(value, np.ndarray) else 3, triple)
    raise TypeError(type(value))


@pytest.fixture
def pack(tmp_path: Path) -> Callable[[object], Path]:
    """Write a tree as Flax would, by the msgpack package."""

    def pack(tree: object) -> Path:
        path = tmp_path / "m.msgpack"
        path.write_bytes(msgpack.packb(tree, default=_packed, strict_types=True))
        return path

    return pack
