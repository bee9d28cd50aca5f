"""What the tests of live Keras models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shapeinspect.ir import Model
from shapeinspect.sources.source import from_object, with_inputs
from shapeinspect_keras.adapters.live import ADAPTER


@pytest.fixture
def read() -> Callable[..., Model]:
    """Read a live object, with an input if one is given."""

    def run(target: Any, inputs: Any = None) -> Model:
        return ADAPTER.read(with_inputs(from_object(target), inputs))

    return run
