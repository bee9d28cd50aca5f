"""``callback``: shows a model where its training begins, and explains the shape error that ends it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from shapeinspect import registry
from shapeinspect.api.debugging import Debugging
from shapeinspect.api.report import inspect
from shapeinspect.errors import ShapeInspectError, UsageError
from shapeinspect.plugin_api.training import Training
from shapeinspect.text import visible


def callback(
    host: str,
    model: object | None = None,
    *,
    input: Any = None,  # noqa: A002  # the field's word for it
    table: bool = True,
    write: Callable[[str], object] = print,
) -> Any:
    """Return a callback for a training framework: the table at the start, the diagnosis when a step fails.

    While all goes well it takes less than 1 % of a step. Of several processes only the first one prints.

    Args:
        host: ``lightning`` (``Trainer(callbacks=[…])``), ``transformers`` (the ``Trainer`` of Hugging Face),
            or ``keras`` (``model.fit(callbacks=[…])``).
        model: for Keras, the model: on JAX and PyTorch ``fit`` runs it once before it calls any callback,
            and an error of that run is explained only where the model is given. The other two name it.
        input: the shapes of the inputs for the table, as for ``inspect``; by default the example that the
            framework knows (``example_input_array``, ``dummy_inputs``); without any, the table has no shapes.
        table: whether the table is shown.
        write: what the table is given to, such as a logger's ``info``.

    Raises:
        UsageError: if there is no such framework.
        MissingDependencyError: if it is not installed.

    Example:
        >>> callback("fastai")
        Traceback (most recent call last):
        ...
        shapeinspect.errors.UsageError: there is no callback for 'fastai'
          expected  one of: keras, lightning, transformers
    """
    make = registry.host(host)
    if make is None:
        known = ", ".join(sorted(registry.hosts()))
        raise UsageError(f"there is no callback for {host!r}", expected=f"one of: {known}")
    return make(_Run(host, model, input, table, write))


class _Run(Training):
    """One training run: the model is shown once, and watched from each beginning to its end."""

    def __init__(
        self, host: str, model: object | None, shapes: Any, table: bool, write: Callable[[str], object]
    ) -> None:
        self.host = host
        self.model = model
        self.shapes = shapes
        self.table = table
        self.write = write
        self._shown = False
        self._debugging: Debugging | None = None

    @property
    def watching(self) -> bool:
        return self._debugging is not None

    def begin(self, model: object, example: Any = None, *, speaks: bool = True) -> None:
        if self.table and speaks and not self._shown:
            self.write(visible(self._table(model, example)))
        self._shown = True
        if self._debugging is None:
            self._debugging = Debugging(model)
            self._debugging.__enter__()

    def _table(self, model: object, example: Any) -> str:
        """Return the table with shapes, where the model runs with what there is for its inputs."""
        note = ""
        for shapes in (self.shapes, example) if self.shapes is not None else (example,):
            if shapes is None:
                continue
            try:
                return str(inspect(model, shapes))
            except ShapeInspectError as error:
                note = note or f"\nnote  without shapes, for the model does not take the inputs: {error}"
        try:
            return f"{inspect(model)}{note}"
        except ShapeInspectError as error:  # a model that is not built: the training says why it fails
            return f"shapeinspect: no table: {error}"

    def failed(self, error: BaseException) -> None:
        debugging, self._debugging = self._debugging, None
        if debugging is None:
            debugging = Debugging(self.model)
            debugging.__enter__()
        traceback = error.__traceback__
        # The error is still on its way: who called the training stands in no entry yet.
        error.__traceback__ = _whole(traceback)
        try:
            debugging.__exit__(type(error), error, error.__traceback__)
        finally:
            error.__traceback__ = traceback

    def end(self) -> None:
        debugging, self._debugging = self._debugging, None
        if debugging is not None:
            debugging.__exit__(None, None, None)

    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except Exception:
                error = sys.exc_info()[1]
                if error is not None:
                    self.failed(error)
                raise

        return run

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Run, (self.host, self.model, self.shapes, self.table, self.write))


def _whole(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback that begins where the program does, as it will once nothing has caught its error."""
    frame = traceback.tb_frame.f_back if traceback is not None else None
    while frame is not None:
        traceback = TracebackType(traceback, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return traceback
