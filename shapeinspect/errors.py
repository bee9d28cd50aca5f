"""Errors that carry their data: what happened, expected, got, where, and a hint."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from shapeinspect.text import one_line, printable

#: A fact on one line, or the lines of one. What a name brings along makes no line of its own.
Fact: TypeAlias = "str | tuple[str, ...] | None"


class ShapeInspectError(Exception):
    """Base of every error that shapeinspect raises deliberately.

    Args:
        what: one sentence on what went wrong, which names the object.
        expected: what was expected; several lines are a tuple, here and in the following.
        got: the actual value.
        where: the origin (a file and offset, a weight, a line).
        hint: what the user can do.

    Example:
        >>> print(UsageError("invalid value '1,x,3' for '--input'", expected="integers", got="'x'"))
        invalid value '1,x,3' for '--input'
          expected  integers
          got       'x'
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        what: str,
        *,
        expected: Fact = None,
        got: Fact = None,
        where: Fact = None,
        hint: Fact = None,
    ) -> None:
        self.what = what
        self.expected = _text(expected)
        self.got = _text(got)
        self.where = _text(where)
        self.hint = _text(hint)
        super().__init__(what)

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return the label and text of each known fact, in the order of printing."""
        pairs = (
            ("expected", self.expected),
            ("got", self.got),
            ("where", self.where),
            ("try", self.hint),
        )
        return tuple((label, text) for label, text in pairs if text)

    def __str__(self) -> str:
        """Build the text from the fields: the sentence, then a line for each fact."""
        lines = [printable(self.what, 1000)]
        for label, text in self.facts():
            first, *rest = text.split("\n")
            lines.append(f"  {label:<9} {printable(first, 2000)}")
            lines.extend(f"  {'':<9} {printable(line, 1000)}" for line in rest)
        return "\n".join(lines)


def _text(fact: Fact) -> str | None:
    """Join the lines of a fact."""
    if fact is None:
        return None
    return "\n".join(map(one_line, (fact,) if isinstance(fact, str) else fact))


class UsageError(ShapeInspectError):
    """The request is invalid or cannot be met (exit code 2).

    Example:
        >>> print(UsageError("invalid value 'x' for '--depth'", expected="an integer", hint="--depth 2"))
        invalid value 'x' for '--depth'
          expected  an integer
          try       --depth 2
    """


class UnreadableFileError(ShapeInspectError):
    """A file is truncated, corrupt, hostile or of an unknown format (exit code 3).

    Args:
        path: the file, as the user named it.
        reason: what is wrong with it, in one clause.
        offset: the position of the problem, in bytes.
        hint: what the user can do.

    Example:
        >>> print(UnreadableFileError("m.pt", "the archive has no end record", offset=12))
        cannot read "m.pt": the archive has no end record
          where     byte 12
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, path: object, reason: str, *, offset: int | None = None, hint: Fact = None) -> None:
        self.path = str(path)
        self.reason = reason
        self.offset = offset
        super().__init__(
            f'cannot read "{path}": {reason}',
            where=None if offset is None else f"byte {offset:,}",
            hint=hint,
        )


class MissingDependencyError(ShapeInspectError):
    """A package that this request needs is not installed (exit code 2).

    Args:
        package: the package to be imported.
        purpose: what it is needed for.
        extra: the extra of shapeinspect that installs it.

    Example:
        >>> print(MissingDependencyError("torch", "live PyTorch models", extra="torch"))
        live PyTorch models need the package torch, which is not installed
          try       pip install 'shapeinspect[torch]'
    """

    def __init__(self, package: str, purpose: str, *, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} need the package {package}, which is not installed",
            hint=f"pip install 'shapeinspect[{extra}]'",
        )


class UnknownLayerError(ShapeInspectError, KeyError):
    """The model has no layer with the requested path (exit code 2).

    Example:
        >>> import shapeinspect
        >>> try:
        ...     shapeinspect.inspect("tests/data/lenet.onnx")["fc4"]
        ... except KeyError as error:
        ...     error.hint
        'did you mean "fc3" or "fc2" or "fc1"?'
    """


class LayerIndexError(UnknownLayerError, IndexError):
    """The model has no layer with the requested index (exit code 2).

    Example:
        >>> import shapeinspect
        >>> try:
        ...     shapeinspect.inspect("tests/data/lenet.onnx")[12]
        ... except IndexError as error:
        ...     print(error)
        no layer has the index 12
          expected  an index from -12 to 11
          where     tests/data/lenet.onnx
    """


class ModelCodeError(ShapeInspectError):
    """The user's own code (an import, a factory, a forward) raised (exit code 2).

    The original exception is the ``__cause__``.

    Example:
        >>> print(ModelCodeError("nets:net raises", got="RuntimeError: no such weights"))
        nets:net raises
          got       RuntimeError: no such weights
    """


class ShapeMismatchError(ShapeInspectError):
    """Shapes do not fit together (exit code 1).

    Args:
        layer: the path of the layer or op that refuses its input.
        kind: its kind.
        expected: what it takes.
        got: what it received.
        where: what fixes the expectation.
        hint: what to change.

    Example:
        >>> print(ShapeMismatchError("fc", "linear", expected="i = 400", got="256"))
        layer "fc" (linear): shapes do not fit
          expected  i = 400
          got       256
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        layer: str,
        kind: str,
        *,
        expected: Fact = None,
        got: Fact = None,
        where: Fact = None,
        hint: Fact = None,
    ) -> None:
        self.layer = layer
        self.kind = kind
        name = f'layer "{layer}" ({kind})' if layer else kind
        super().__init__(f"{name}: shapes do not fit", expected=expected, got=got, where=where, hint=hint)


class LayoutError(ShapeInspectError):
    """A layout pattern is malformed or does not fit the shape it is applied to (exit code 2).

    Example:
        >>> from shapeinspect.layout import parse
        >>> parse("(gate o i")
        Traceback (most recent call last):
        ...
        shapeinspect.errors.LayoutError: ...
    """
