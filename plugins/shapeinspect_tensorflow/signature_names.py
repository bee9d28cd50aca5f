"""Which of a model's signatures is read, and the note on the others."""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.errors import UsageError
from shapeinspect.ir import Note
from shapeinspect.sources.source import Source


def asked_signature(source: Source, names: Sequence[str]) -> str:
    """Return the signature that was asked for.

    Args:
        source: the request.
        names: the signatures of the model.

    Raises:
        UsageError: if the model has no such signature.

    Example:
        >>> asked_signature(Source("m", signature="encode"), ["encode", "decode"])
        'encode'
    """
    if source.signature in names:
        return source.signature
    raise UsageError(
        f'there is no signature "{source.signature}"',
        expected=", ".join(names) or "no signature: the model holds none",
        where=source.label,
    )


def further_signatures(chosen: str, others: Sequence[str]) -> Note:
    """Return a note on the signatures that are not shown.

    Args:
        chosen: the one that is.
        others: the others.

    Example:
        >>> further_signatures("encode", ["decode"]).text
        'the signature "encode" is shown; --signature shows another: decode'
    """
    shown = ", ".join(others[:8]) + (f" and {len(others) - 8} more" if len(others) > 8 else "")
    return Note(f'the signature "{chosen}" is shown; --signature shows another: {shown}')
