"""A node that refuses the sizes to which the inputs of an interpreter were resized."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.arrays.feeds import values_of
from shapeinspect.plugin_api.arrays.numpy_text import IN_NUMPY, in_numpy
from shapeinspect.plugin_api.changes import Change, OnInput, reshaped
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.rerun import Recorded, Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.debug.interpreters import another, declared

_NODE = re.compile(r"Node number (?P<number>\d+) \((?P<type>\w+)\) failed to (?P<did>\w+)")
#: A file of more bytes is not read again for a diagnosis.
_BYTES = 1 << 29


def refused(interpreter: Any, message: str, where: str | None) -> Rerun | Recorded | None:
    """Return the graph with the sizes that were asked for; None where no node refuses.

    Args:
        interpreter: the user's interpreter.
        message: TFLite's words.
        where: the user's source line.
    """
    found = _NODE.search(message)
    if found is None:
        return None
    details = interpreter.get_input_details()
    content = getattr(interpreter, "_model_content", None)
    if content and len(content) <= _BYTES:
        model = _model(bytes(content))
        fed = _fed(model, details)

        def confirm(changes: Sequence[Change]) -> bool | None:
            return _allocates(interpreter, model, fed, changes)

        steps, claim = frozenset(IN_NUMPY), Claim(what="invoke on a copy of the interpreter")
        return Recorded(
            model, Frozen(fed), message, where, in_numpy, steps=steps, confirm=confirm, confirmed=claim
        )
    inputs = [declared(one) for one in details]
    fact = Explained("reshape" if found["type"] == "RESHAPE" else "unknown", (), (_said(message),))
    layer = Layer(f"{found['type']} (node {found['number']})", "unknown", found["type"])
    failure = outside(layer, values_of(inputs, {}), "tflite", message, where, fact, fed=True)
    return Rewriting(failure)


def _said(message: str) -> str:
    return " ".join(message.split("\n", maxsplit=1)[0].split())


def _model(content: bytes) -> Model:
    from shapeinspect_tensorflow.tflite.reader import read

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return read(from_path(path))


def _fed(model: Model, details: Sequence[Any]) -> dict[str, Shape]:
    """Return the shapes that were asked for, by the names of the graph, which are in the same order."""
    named = {one["name"]: tuple(map(int, one["shape"])) for one in details}
    if set(model.inputs) <= set(named):
        return {name: named[name] for name in model.inputs}
    return dict(zip(model.inputs, named.values(), strict=False))


def _allocates(
    interpreter: Any, model: Model, fed: dict[str, Shape], changes: Sequence[Change]
) -> bool | None:
    """Resize a copy of the interpreter to the changed shapes, and allocate it."""
    copy = another(interpreter)
    shapes: dict[str, Any] = dict(fed)
    if copy is None or not all(isinstance(change, OnInput) for change in changes):
        return None
    for change in changes:
        for step in change.steps if isinstance(change, OnInput) else ():
            shapes[change.name] = reshaped(step, shapes[change.name])  # type: ignore[union-attr]  # it is one
    try:
        for name, one in zip(model.inputs, copy.get_input_details(), strict=False):
            copy.resize_tensor_input(one["index"], shapes[name])
        copy.allocate_tensors()
        copy.invoke()
    except (ValueError, RuntimeError):
        return False
    return True
