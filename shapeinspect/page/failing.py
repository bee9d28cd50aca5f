"""Why a call failed, on one page: the network up to the layer that refused, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shapeinspect.ir import Call, Layer, Model
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.mismatch.words.as_html import operands
from shapeinspect.mismatch.words.describe import parts
from shapeinspect.page.document import Content, document, rows
from shapeinspect.text import printable, visible


def diagnosis_page(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as one HTML page: the layer that refused is selected, its explanation beside it.

    Args:
        diagnosis: why a call failed.
    """
    model = _reached(diagnosis)
    made = Content(model, {})
    data = made.all()
    data["failed"] = made.text(diagnosis.layer.path)
    data["told"] = describe(diagnosis)
    told = parts(diagnosis)
    # How it came there is drawn; the operands are written with what clashes.
    data["wrong"] = {
        "head": visible(told.head),
        "rows": [[label, list(map(visible, texts))] for label, texts in told.rows if label != "via"],
        "operands": [_operand(model, *operand) for operand in operands(diagnosis)],
        "unreached": [made.text(layer.path) for layer in _unreached(model)],
        "via": [made.text(path) for path in dict.fromkeys(_way(diagnosis))],
    }
    data["families"] = {**data["families"], "wrong": "refuses"}
    data["texts"] = made.texts
    return document(f"{printable(model.source)}: why it fails", data, rows(model), made.album.packed)


def _operand(model: Model, name: str, lengths: list[tuple[str, bool]]) -> list[object]:
    """Return who gives an operand, and its lengths with whether they clash."""
    makers = {value: call.layer for call in model.calls for value in call.outputs}
    return [printable(makers.get(name, name)), [[printable(text), wrong] for text, wrong in lengths]]


def _way(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the paths of the layer that refused, the last calls before it, and the inputs these read."""
    yield diagnosis.layer.path
    inputs = set(diagnosis.model.inputs)
    yield from inputs & set(diagnosis.failure.inputs)
    for layer, call in diagnosis.chain():
        yield layer.path
        yield from inputs & set(call.inputs)


def _unreached(model: Model) -> list[Layer]:
    """Return the layers that no call came to; containers are among them."""
    called = {call.layer for call in model.calls}
    return [layer for layer in model.layers if layer.path not in called]


def _reached(diagnosis: Diagnosis) -> Model:
    """Return the model up to the failure, with the call that failed and returned nothing."""
    model, failure = diagnosis.model, diagnosis.failure
    layers = model.layers
    if all(layer.path != failure.layer.path for layer in layers):
        layers = (*layers, failure.layer)
    calls = model.calls
    if all(call.layer != failure.layer.path or call.outputs for call in calls):
        calls = (*calls, Call(failure.layer.path, failure.inputs, ()))
    return replace(model, layers=layers, calls=calls, outputs=())
