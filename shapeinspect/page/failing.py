"""Why a call failed, on one page: the network up to the layer that refused, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.ir import Call, Model
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.page.document import Content, document, rows
from shapeinspect.text import printable


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
    data["families"] = {**data["families"], "wrong": "refuses"}
    data["texts"] = made.texts
    return document(f"{printable(model.source)}: why it fails", data, rows(model), made.album.packed)


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
