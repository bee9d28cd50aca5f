"""The callback of Keras: ``model.fit(..., callbacks=[...])``."""

from __future__ import annotations

from typing import Any

from shapeinspect.errors import MissingDependencyError
from shapeinspect.plugin_api.training import Training

#: What Keras calls for each batch, by the loop that it is called in.
_STEPS = {"train": "train_function", "test": "test_function", "predict": "predict_function"}
#: The methods of a model that run these loops.
_LOOPS = ("fit", "evaluate", "predict")
#: Where a watched function keeps the one that it stands for.
_MARK = "__shapeinspect_step__"


def make(training: Training) -> Any:
    """Return a callback for the loops of a model.

    Keras tells a callback of no error, so what it calls for each batch is watched; and where the model is
    known beforehand the whole loop, for on some backends it runs the model once before it calls any callback.

    Args:
        training: what is done where training begins, fails and ends.

    Raises:
        MissingDependencyError: if Keras is not installed.
    """
    try:
        import keras
    except ImportError:
        raise MissingDependencyError("keras", "callbacks for Keras", extra="keras") from None
    base: Any = keras.callbacks.Callback

    class ShapeInspect(base):  # type: ignore[misc]  # a class that is known when it is asked for
        """Shows the table at the start, and explains the shape error that ends a loop."""

        def __init__(self) -> None:
            super().__init__()
            self._loops: set[str] = set()

        def _begin(self, loop: str) -> None:
            if not training.watching:
                self._loops.clear()  # a loop that failed has not told of its end
            self._loops.add(loop)
            training.begin(self.model)
            _watch(training, self.model, _STEPS[loop])

        def _end(self, loop: str) -> None:
            self._loops.discard(loop)
            step = getattr(self.model, _STEPS[loop], None)
            if hasattr(step, _MARK):
                setattr(self.model, _STEPS[loop], getattr(step, _MARK))
            if not self._loops:  # an evaluation within the training is not its end
                training.end()

        def __reduce__(self) -> tuple[Any, ...]:
            return (make, (training,))

    for loop in _STEPS:
        setattr(ShapeInspect, f"on_{loop}_begin", lambda told, logs=None, loop=loop: told._begin(loop))
        setattr(ShapeInspect, f"on_{loop}_end", lambda told, logs=None, loop=loop: told._end(loop))
    for name in _LOOPS if training.model is not None else ():
        _watch(training, training.model, name)
    return ShapeInspect()


def _watch(training: Training, model: Any, name: str) -> None:
    """Put a watched function in the place of a model's own, once."""
    function = getattr(model, name, None)
    if function is None:
        return
    function = getattr(function, _MARK, function)  # a loop that failed has left it
    watched = training.watched(function)
    setattr(watched, _MARK, function)
    setattr(model, name, watched)
