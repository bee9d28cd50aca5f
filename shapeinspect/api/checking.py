"""Checks one model: whether its shapes fit, whether assertions on it hold, in every form of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shapeinspect.api.debugging import Fit, fits
from shapeinspect.api.report import analyze
from shapeinspect.check import Failure, Spec, verdict
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Note
from shapeinspect.mismatch import Diagnosis, agreeing, describe, fitting, to_dict
from shapeinspect.mismatch.words.causes import sentence
from shapeinspect.render.results.contradictions import contradicting
from shapeinspect.sources.remote import is_url
from shapeinspect.sources.remote.secrets import without_secrets
from shapeinspect.sources.source import Source, with_inputs


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a model.

    Args:
        rule: what kind of thing, such as ``channels`` or ``expectation``.
        title: it in one sentence.
        text: the whole explanation.
        layer: the layer that it is about, or None.
        level: ``error`` for what is wrong, ``note`` for what is only told.
    """

    rule: str
    title: str
    text: str
    layer: str | None = None
    level: Literal["error", "note"] = "error"


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer of a check.

    Args:
        source: the model, as the user named it.
        findings: what is wrong; nothing of a model that passes.
        text: the answer as it is printed.
        data: the same as plain data.
        exit_code: 0 of a model that passes, 1 of one that does not; else that of the error that ended it.
        diagnosis: why the shapes do not fit; None where they do or are not known to.
        name: what the answer is about, where that is more than the source; else empty.
    """

    source: str
    findings: tuple[Finding, ...]
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    diagnosis: Diagnosis | None = None
    name: str = ""


def check_model(source: Source, given: Any, asked: Spec | None) -> Checked:
    """Check a model's shapes without running it, and the assertions of a specification.

    Args:
        source: the model.
        given: the shapes of its inputs, as for ``inspect``.
        asked: the specification; None where there is none.

    Raises:
        ShapeInspectError: if the model cannot be read or has no graph.
    """
    # Weights without a graph have no calls to check, but assertions on them are possible.
    result = fits(source, given, graph=asked is None)
    walked = result.read is None or bool(result.read.calls)
    faults = [note for note in result.read.notes if note.fault] if result.read is not None else []
    failures = _failures(asked, result, with_inputs(source, given)) if asked is not None else ()
    data: dict[str, Any] = to_dict(result.diagnosis) if walked else {"fits": None}
    texts: list[str] = []
    findings: list[Finding] = []
    if result.diagnosis is not None:
        texts.append(describe(result.diagnosis))
        layer, cause = result.diagnosis.layer, result.diagnosis.cause
        title = f'layer "{layer.path}": {sentence(cause, layer.kind)}'
        findings.append(Finding(cause, title, texts[-1], layer.path))
    elif walked and not faults:
        texts.append(fitting(result.model, result.unchecked))
    elif not faults and any(note.held for note in result.model.notes):
        texts.append(agreeing(result.model.source, result.model.notes))
    if faults and result.read is not None:
        texts.append(contradicting(result.read.source, faults))
        findings += [Finding("contradiction", note.text, note.text, note.about) for note in faults]
        data["fits"] = False
        data["faults"] = [_fault(note) for note in faults]
    if asked is not None:
        texts.append(_verdict(failures, asked))
        findings += [
            Finding("expectation", f"{failure.line}: {failure.problem}", str(failure), failure.about or None)
            for failure in failures or ()
        ]
        data["failures"] = None if failures is None else [_plain(failure) for failure in failures]
    return Checked(
        source.label, tuple(findings), "\n".join(texts), data, 1 if findings else 0, result.diagnosis
    )


def failed(source: str, error: ShapeInspectError) -> Checked:
    """Return the answer for a model that could not be checked.

    Args:
        source: the model, as the user named it; a password or a signature in an address is left out.
        error: what ended the check.
    """
    if is_url(source):
        source = without_secrets(source)
    finding = Finding("error", error.what, str(error))
    data = {"fits": None, "error": {"what": error.what, "facts": [list(fact) for fact in error.facts()]}}
    return Checked(source, (finding,), str(error), data, error.exit_code)


def _failures(asked: Spec, result: Fit, request: Source) -> tuple[Failure, ...] | None:
    """Check the model against a specification; None where its input was refused."""
    if result.read is not None:
        return asked.failures(analyze(result.read, request).model)
    return asked.failures(result.model) if result.diagnosis is None else None


def _verdict(failures: Sequence[Failure] | None, asked: Spec) -> str:
    if failures is None:
        return "the expectations were not checked: the model refuses its input"
    return verdict(failures, len(asked.lines))


def _fault(note: Note) -> dict[str, Any]:
    weights = [
        {"name": item.about, "expected": item.expected, "got": item.got, "from": item.origin}
        for item in note.contradictions
    ]
    messages = dict.fromkeys(message for item in note.contradictions for message in item.messages)
    told = {"messages": [{"loader": loader, "text": text} for loader, text in messages]} if messages else {}
    return {"layer": note.about, "text": note.text, **({"weights": weights} if weights else {}), **told}


def _plain(failure: Failure) -> dict[str, Any]:
    return {
        "line": failure.line,
        "about": failure.about or None,
        "problem": failure.problem,
        "call": failure.call or None,
    }
