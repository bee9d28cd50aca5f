"""What is wrong in the report of a case: every number held against Keras."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapeinspect
from shapeinspect.api.debugging import fits
from shapeinspect.dims import Unknown
from shapeinspect.mismatch import describe

#: The beginnings of the notes that say a model contradicts itself.
_CONTRADICTIONS = ("our rule is in doubt", "this ", "its settings give")
#: No axis of a case has this length.
_BATCH = 17


def problems(case: Any, made: Any, folder: Path) -> Iterator[str]:
    """Yield what is wrong with a case.

    Args:
        case: the drawn case.
        made: its model.
        folder: where to save it.
    """
    source = _source(case, made.model, folder)
    report = shapeinspect.inspect(source)
    graph = case.way == "live" or case.form != "subclassed"
    if graph:
        yield from outputs(made, report)
        result = fits(source)
        if result.diagnosis is not None:
            yield f"check: {describe(result.diagnosis).splitlines()[0]}"
        yield from notes(made, report)
    yield from counts(made.model, report, graph=graph)


def _source(case: Any, model: Any, folder: Path) -> Any:
    if case.way == "live":
        return model
    if case.way == ".h5" and case.form == "subclassed":
        model.save_weights(folder / "model.weights.h5")
        return folder / "model.weights.h5"
    model.save(folder / f"model{case.way}")
    return folder / f"model{case.way}"


def notes(made: Any, report: Any, about: str | None = None) -> Iterator[str]:
    """Yield the notes that say a model contradicts itself, unless Keras does.

    Args:
        made: the case's model.
        report: the report.
        about: the layer that they are about, None for all.
    """
    for note in report.model.notes:
        concerned = about is None or (note.about or "").partition("/")[0] == about
        if concerned and note.text.startswith(_CONTRADICTIONS) and run(made) == made.outputs:
            yield f"note: {note.text}"


def run(made: Any) -> tuple[Any, ...]:
    """Run a call of the layer on zeros or words: what Keras computes on symbols may be wrong itself.

    Args:
        made: the case's model.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    layer, inputs = made.layer, made.inputs
    alone = keras.Model(inputs, layer._inbound_nodes[0].outputs)
    sizes = [(_BATCH, *x.shape[1:]) for x in inputs]
    fed = [
        tf.fill(size, "a") if x.dtype == "string" else np.zeros(size, x.dtype)
        for x, size in zip(inputs, sizes, strict=True)
    ]
    result = keras.tree.flatten(alone(fed if len(fed) > 1 else fed[0]))
    return tuple(tuple(None if n == _BATCH else n for n in item.shape) for item in result)


def outputs(made: Any, report: Any) -> Iterator[str]:
    """Yield what is wrong with the outputs of the layer.

    Args:
        made: the case's model.
        report: the report.
    """
    row = next((row for row in report if row.path.rpartition("/")[2] == made.layer.name and row.calls), None)
    if row is None:
        yield f"no row with calls for {made.layer.name}"
        return
    if row.kind == "unknown":
        yield "unknown kind"
    names = row.calls[0].outputs
    if len(names) != len(made.outputs):
        yield f"{len(names)} outputs, Keras {len(made.outputs)}"
    for index, (name, want) in enumerate(zip(names, made.outputs, strict=False)):
        shape = report.model.values[name].shape
        truth = run(made)[index] if shape is not None and _differs(shape, want) else want
        yield from (f"output {index} {text}" for text in _shape(shape, truth))


def _shape(shape: Any, want: Any) -> Iterator[str]:
    if shape is None:
        yield "unknown"
    elif _differs(shape, want):
        yield f"{shape}, Keras {want}"
    elif any(
        length is not None and isinstance(dim, Unknown) for dim, length in zip(shape, want, strict=True)
    ):
        yield f"open: {shape}, Keras {want}"
    elif isinstance(shape[0] if shape else 0, Unknown):
        yield f"without its batch: {shape}"


def _differs(shape: Any, want: Any) -> bool:
    return len(shape) != len(want) or any(
        length is not None and not isinstance(dim, Unknown) and dim != length
        for dim, length in zip(shape, want, strict=False)
    )


def counts(model: Any, report: Any, *, graph: bool) -> Iterator[str]:
    """Yield what is wrong with the parameters.

    Args:
        model: Keras's model.
        report: the report.
        graph: whether the file says which of them are trained.
    """
    distinct = {
        weight.storage or f"{layer.path} {weight.role}": weight
        for layer in report.model.layers
        for weight in layer.weights
        if not weight.buffer
    }
    total = sum(weight.size or 0 for weight in distinct.values())
    if total != _size(model.weights):
        yield f"params {total}, Keras {_size(model.weights)}"
    trained = sum(weight.size or 0 for weight in distinct.values() if weight.trainable)
    if graph and trained != _size(model.trainable_weights):
        yield f"trainable {trained}, Keras {_size(model.trainable_weights)}"


def _size(variables: Any) -> int:
    total = 0
    for variable in {id(item): item for item in variables}.values():
        size = 1
        for length in variable.shape:
            size *= length
        total += size
    return total
