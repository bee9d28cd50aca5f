"""What ``normalize`` has written, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: How many weights an error or a page lists.
_MOST = 10


@dataclass(frozen=True, slots=True)
class Written:
    """What :func:`shapeinspect.convert.normalize` wrote.

    Args:
        path: the file.
        tensors: the name and shape of each tensor.
        nbytes: the bytes of all values.
        kept: the names of the tensors that were copied unchanged.
        notes: what a reader of the file has to know, one sentence each.
        left: the weights of the model that the file is for which it does not have, and why.
        unused: the weights of the source that the file does not have, and why.
        script: the code that loads the file, where it was asked for.

    Example:
        >>> import tempfile
        >>> from shapeinspect.convert import normalize
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = normalize("tests/data/lenet.onnx", f"{folder}/lenet.safetensors")
        >>> written.tensors["fc1.weight"], written.nbytes
        ((120, 400), 246824)
    """

    path: str
    tensors: Mapping[str, tuple[int, ...]]
    nbytes: int
    kept: tuple[str, ...]
    notes: tuple[str, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)
    script: str | None = None


def listed(reasons: Mapping[str, str]) -> tuple[str, ...]:
    """Return the first of some weights with the reason for each, a line each.

    Args:
        reasons: for each name a clause.

    Example:
        >>> listed({"conv.weight": "A has no such layer"})
        ('conv.weight: A has no such layer',)
    """
    lines = [f"{name}: {why}" for name, why in list(reasons.items())[:_MOST]]
    if len(reasons) > _MOST:
        lines.append(f"and {len(reasons) - _MOST:,} more")
    return tuple(lines)
