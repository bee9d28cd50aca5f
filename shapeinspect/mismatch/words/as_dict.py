"""A diagnosis as plain data."""

from __future__ import annotations

from typing import Any

from shapeinspect.mismatch.diagnosis import Diagnosis, Tried
from shapeinspect.mismatch.words.causes import sentence
from shapeinspect.plugin_api.claims import Level


def to_dict(diagnosis: Diagnosis | None) -> dict[str, Any]:
    """Return a diagnosis as ``--format json`` prints it.

    Args:
        diagnosis: the diagnosis, or None where everything fits.

    Example:
        >>> to_dict(None)
        {'fits': True}
    """
    if diagnosis is None:
        return {"fits": True}
    values = diagnosis.model.values
    return {
        "fits": False,
        "layer": diagnosis.layer.path,
        "kind": diagnosis.layer.kind,
        "cause": diagnosis.cause,
        "why": sentence(diagnosis.cause, diagnosis.layer.kind),
        "because": list(diagnosis.because),
        "expected": diagnosis.problem.expected,
        "got": {
            name: None
            if values[name].shape is None
            else [_plain(length) for length in values[name].shape or ()]
            for name in diagnosis.failure.inputs
            if name in values
        },
        "where": diagnosis.failure.where,
        "chain": [layer.path for layer, _ in diagnosis.chain()],
        "fixes": [tried.text for tried in diagnosis.fixes],
        "tried": [_tried(tried) for tried in diagnosis.fixes],
    }


def _tried(tried: Tried) -> dict[str, str | None]:
    claim = tried.claim
    return {
        "level": claim.level.value,
        "ran": claim.what if claim.level is not Level.UNTRIED else None,
        "rest": claim.rest or None,
        "changes": tried.fix.alters or None,
    }


def _plain(length: object) -> int | str:
    return length if type(length) is int else str(length)
