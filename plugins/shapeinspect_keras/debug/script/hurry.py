"""What a trial of a changed script leaves out: TensorFlow's graphs, and all epochs of a training but one."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

#: What ``fit`` takes by place up to the number of epochs.
_BEFORE = ("x", "y", "batch_size", "epochs")


def hurry() -> None:
    """Run functions of the user's directly instead of as graphs, and one epoch of each training.

    A graph of a training step takes longer to make than the step itself on the few samples of a trial.
    """
    keras: Any = sys.modules["keras"]
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
    one_epoch(keras)


#: Callbacks of Keras that write files.
_WRITE = frozenset({"ModelCheckpoint", "TensorBoard", "CSVLogger", "BackupAndRestore", "SwapEMAWeights"})


def one_epoch(keras: Any, cut: Callable[[], None] | None = None) -> Callable[[], None]:
    """Let a training take one epoch.

    Args:
        keras: the package.
        cut: called where a training is cut short. Nothing is printed and no file written then; None for a
            training that is otherwise as it was.

    Returns:
        What ends this.
    """
    fit, own = keras.Model.fit, "fit" in vars(keras.Model)

    @functools.wraps(fit)
    def shortened(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(_BEFORE, args, strict=False)), **kwargs}
        begin, epochs = given.get("initial_epoch", 0), given.get("epochs", 1)
        if len(args) > len(_BEFORE) or not isinstance(epochs, int) or not isinstance(begin, int):
            return fit(self, *args, **kwargs)
        if cut is not None:
            given["verbose"] = 0
            callbacks = given.get("callbacks")
            if isinstance(callbacks, list | tuple):
                given["callbacks"] = [item for item in callbacks if type(item).__name__ not in _WRITE]
            if epochs > begin + 1:
                cut()
        return fit(self, **{**given, "epochs": min(epochs, begin + 1)})

    def end() -> None:
        keras.Model.fit = fit
        if not own:  # it is inherited
            del keras.Model.fit

    keras.Model.fit = shortened
    return end
