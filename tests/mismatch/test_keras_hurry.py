"""What a trial of a Keras script leaves out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shapeinspect_keras.debug.script.hurry import one_epoch


class Trained:
    """A model that only tells what it was given."""

    def fit(self, x: Any, y: Any = None, batch_size: Any = None, epochs: int = 1, **more: Any) -> Any:
        return x, y, batch_size, epochs, more


@pytest.mark.parametrize(
    ("given", "named", "expected"),
    [
        ((), {"x": 3, "epochs": 7}, (3, None, None, 1, {})),
        ((3, 5, 2, 7), {}, (3, 5, 2, 1, {})),
        ((3,), {"epochs": 9, "initial_epoch": 4}, (3, None, None, 5, {"initial_epoch": 4})),
        ((3, 5), {"verbose": 0}, (3, 5, None, 1, {"verbose": 0})),
        ((3,), {"epochs": "all"}, (3, None, None, "all", {})),
    ],
)  # fmt: skip
def test_a_training_takes_one_epoch(given: tuple[Any, ...], named: dict[str, Any], expected: Any) -> None:
    class Model(Trained):
        pass

    one_epoch(SimpleNamespace(Model=Model))
    assert Model().fit(*given, **named) == expected
