"""The callback of the Trainer of Hugging Face's transformers."""

from __future__ import annotations

import sys
from typing import Any

from shapeinspect.errors import MissingDependencyError
from shapeinspect.plugin_api.training import Training

#: The methods of a Trainer that run the model on a batch.
_STEPS = ("training_step", "prediction_step")
#: Where a watched step keeps the one that it stands for.
_MARK = "__shapeinspect_step__"


def make(training: Training) -> Any:
    """Return a callback for a ``Trainer``.

    Args:
        training: what is done where training begins, fails and ends.

    Raises:
        MissingDependencyError: if transformers is not installed.
    """
    try:
        from transformers import TrainerCallback
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise MissingDependencyError(
            "transformers", "callbacks for Hugging Face's Trainer", extra="hosts"
        ) from None
    base: Any = TrainerCallback

    class ShapeInspect(base):  # type: ignore[misc]  # a class that is known when it is asked for
        """Shows the table at the start, and explains the shape error that ends a run."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Begin; the Trainer tells a callback of no error, so its steps are watched."""
            del args, control
            model = kwargs.get("model")
            training.begin(model, _example(model), speaks=state.is_world_process_zero)
            trainer = _trainer()
            for name in _STEPS if trainer is not None else ():
                step = getattr(trainer, name)
                step = getattr(step, _MARK, step)  # a training that failed has left it
                watched = training.watched(step)
                setattr(watched, _MARK, step)
                setattr(trainer, name, watched)

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """End."""
            del args, state, control, kwargs
            training.end()
            trainer = _trainer()
            for name in _STEPS if trainer is not None else ():
                if hasattr(getattr(trainer, name), _MARK):
                    delattr(trainer, name)

        def __reduce__(self) -> tuple[Any, ...]:
            return (make, (training,))

    return ShapeInspect()


def _example(model: Any) -> Any:
    """Return the inputs that a model of transformers is tried with, if it knows some."""
    try:
        return getattr(model, "dummy_inputs", None)
    except Exception:  # noqa: BLE001  # a property that any model may define as it likes
        return None


def _trainer() -> Any:
    """Return the Trainer that calls this callback, which it is not handed: it is in a frame above."""
    from transformers import Trainer

    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if isinstance(frame.f_locals.get("self"), Trainer):
            return frame.f_locals["self"]
    return None
