"""The request: a path, an import string or a live object, with its head bytes read once."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Protocol

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.sources.input_shapes import InputSpec, is_shape, is_spec, spec_of, specs_of
from shapeinspect.sources.links import check_inside, check_links

#: How many bytes of a file are read before an adapter is chosen.
HEAD = 4096

_IMPORT = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_OF_FILE = re.compile(r"(?P<file>.+)\.py:(?P<attribute>[\w.]+)")
_NAMES = "a path, or package.module:attribute for a model in Python code"


class Opener(Protocol):
    """Opens a file that is not on this machine; ``shapeinspect.sources.remote`` implements it."""

    @property
    def name(self) -> str:
        """The file's or directory's own name, without what leads to it."""

    def open(self) -> BinaryIO:
        """Open the file for reading bytes.

        Raises:
            UnreadableFileError: if it cannot be opened.
        """

    def sibling(self, name: str) -> Source:
        """Return the source of a file beside this one, or inside this directory.

        Args:
            name: a relative path that does not lead outside.

        Raises:
            UsageError: if there is no such file.
        """


@dataclass(frozen=True, slots=True)
class Source:
    """One request, before any adapter has looked at it.

    Args:
        label: the source, as the user named it.
        path: the file or directory on this machine; None for anything else.
        head: the first ``HEAD`` bytes of a file.
        size: the file's length in bytes; None for anything else.
        entries: the names in a directory, sorted.
        target: the live object; None for a file.
        inputs: the input shapes given with ``--input``, in order.
        example: real example inputs: ``(args, kwargs)``; None if there are none.
        opener: opens a file that is elsewhere; None for one on this machine.
        findings: whether an adapter should look for mistakes that the shapes alone do not show, which
            takes a second pass.
        signature: the signature that was asked for, of a model that has several; empty for its default.
        named_by: the directory, the name in it and the label of the file that named this one; None for one
            that the user named.
        root: the directory outside of which nothing is read, not even a model cache's blobs; without links.
            None where the user may name every file.

    Example:
        >>> Source("model", target=object()).is_live
        True
    """

    label: str
    path: Path | None = None
    head: bytes = b""
    size: int | None = None
    entries: tuple[str, ...] = ()
    target: object | None = field(default=None, repr=False)
    inputs: tuple[InputSpec, ...] = ()
    example: tuple[tuple[Any, ...], dict[str, Any]] | None = field(default=None, repr=False)
    opener: Opener | None = field(default=None, repr=False)
    findings: bool = False
    signature: str = ""
    named_by: tuple[Path, str, str] | None = None
    root: Path | None = None

    @property
    def is_live(self) -> bool:
        """Whether this is an object in memory and not a file."""
        return self.path is None and self.opener is None

    @property
    def asked(self) -> tuple[InputSpec, ...]:
        """The shapes of its inputs, as they were named or as the example tensors have them.

        Example:
            >>> with_inputs(from_object(3), {"x": (2, 3)}).asked
            (InputSpec(shape=(2, 3), name='x', dtype=None),)
        """
        if self.inputs or self.example is None:
            return self.inputs
        args, kwargs = self.example
        return tuple(spec for value in (*args, kwargs) for spec in specs_of(value, None))

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory."""
        return not self.is_live and self.size is None

    @property
    def name(self) -> str:
        """The file's or directory's own name, without what leads to it; empty for a live object."""
        if self.opener is not None:
            return self.opener.name
        return self.path.name if self.path is not None else ""

    @property
    def suffix(self) -> str:
        """The file name's ending in lower case, such as ``".onnx"``, or an empty text."""
        return PurePath(self.name).suffix.lower()

    @property
    def modules(self) -> frozenset[str]:
        """The top-level module names of the live object's classes; nothing is imported to find them."""
        if self.target is None:
            return frozenset()
        kind = self.target if isinstance(self.target, type) else type(self.target)
        return frozenset(str(base.__module__).partition(".")[0] for base in kind.__mro__)

    def open(self) -> BinaryIO:
        """Open the file for reading bytes; the caller closes it.

        Raises:
            UnreadableFileError: if it cannot be opened.
        """
        if self.opener is not None:
            return self.opener.open()
        if self.path is None:
            raise UsageError(f'"{self.label}" is not a file')
        try:
            file = io.FileIO(self.path, "r")
        except OSError as error:
            raise UnreadableFileError(self.label, error.strerror or str(error)) from None
        try:
            self._check_opened(file.fileno())
        except BaseException:
            file.close()
            raise
        return io.BufferedReader(file)

    def _check_opened(self, number: int) -> None:
        """Refuse a file that another one named and that has been exchanged since its links were checked."""
        if self.path is None or (self.named_by is None and self.root is None):
            return
        if self.named_by is not None:
            check_links(*self.named_by)
        self.check_root(self.path)
        if not os.path.samestat(os.stat(self.path), os.fstat(number)):
            raise UnreadableFileError(self.label, "it was exchanged while it was opened")

    def sibling(self, name: str) -> Source:
        """Return the source of a file that this one names, beside it (or inside this directory).

        Args:
            name: a relative path, as the file spells it.

        Raises:
            UnreadableFileError: if the name or a link leads outside; a model cache's links to its blobs
                are ordinary.
            UsageError: if there is no such file.

        Example:
            >>> from_path("pyproject.toml").sibling("README.md").label
            'README.md'
        """
        if self.opener is not None:
            check_inside(name, self.label)
            return self.opener.sibling(name)
        if self.path is None:
            raise UsageError(f'"{self.label}" is not a file')
        check_inside(name, self.label)
        folder = self.path if self.is_directory else self.path.parent
        check_links(folder, name, self.label)
        self.check_root(folder / name)
        return replace(from_path(folder / name), named_by=(folder, name, self.label), root=self.root)

    def check_root(self, path: Path) -> None:
        """Refuse a path that leads out of the directory that this source is confined to, if it is to one.

        Args:
            path: a path, with or without links.

        Raises:
            UnreadableFileError: if it leads outside.

        Example:
            >>> from_path("pyproject.toml").check_root(Path("/etc"))
        """
        if self.root is not None and not Path(os.path.realpath(path)).is_relative_to(self.root):
            raise UnreadableFileError(
                self.label, f"{path.name!r} leads out of the directory that may be read"
            )

    def local(self, purpose: str) -> Path:
        """Return the path, for readers that need a file on this machine.

        Args:
            purpose: what needs it, for the error.

        Raises:
            UsageError: if the file is elsewhere.
        """
        if self.path is None:
            raise UsageError(
                f'"{self.label}" is not on this machine, and {purpose} reads local files only',
                hint="copy it here first",
            )
        return self.path


def from_path(path: str | os.PathLike[str], label: str | None = None) -> Source:
    """Look at a file or directory: its head bytes, its size, its entries.

    Args:
        path: where it is.
        label: how errors and tables name it; the path itself by default.

    Raises:
        UsageError: if it does not exist.
        UnreadableFileError: if it cannot be read.
    """
    if path == "":
        raise UsageError("the model's name is empty", hint=_NAMES)
    where = Path(path)
    shown = label or str(path)
    try:
        if where.is_dir():
            return Source(shown, where, entries=tuple(sorted(os.listdir(where))))
        if not where.is_file():
            if where.exists():
                raise UnreadableFileError(shown, "it is neither a file nor a directory")
            if where.is_symlink():
                raise UnreadableFileError(shown, "it is a link that leads nowhere")
            raise UsageError(f'no such file: "{shown}"', hint=_nearby(where))
        with io.FileIO(where, "r") as file:
            return Source(shown, where, file.read(HEAD), os.fstat(file.fileno()).st_size)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFileError(shown, reason) from None


def _nearby(path: Path) -> str:
    by_module = named_by_module(str(path))
    if by_module is not None:
        return by_module
    folder = path.parent
    if not folder.is_dir():
        return f'the directory "{folder}" does not exist either'
    import difflib

    names = [entry.name for _, entry in zip(range(2000), folder.iterdir(), strict=False)]
    close = difflib.get_close_matches(path.name, names, n=3)
    if close:
        return "did you mean " + " or ".join(f'"{folder / name}"' for name in close) + "?"
    return _NAMES


def as_import_string(text: str) -> str | None:
    """Return how an attribute of a Python file is named; None where a text names none.

    Args:
        text: what the user typed, such as ``models/unet.py:UNet``.

    Example:
        >>> as_import_string("models/unet.py:UNet"), as_import_string("unet.onnx")
        ('models.unet:UNet', None)
    """
    found = _OF_FILE.fullmatch(text)
    if found is None:
        return None
    path, here = os.path.abspath(found["file"]), os.getcwd()
    inside = PurePath(path).is_relative_to(here)  # the directory that is searched first
    parts = PurePath(path).relative_to(here).parts if inside else PurePath(path).parts[-1:]
    name = f"{'.'.join(parts)}:{found['attribute']}"
    return name if is_import_string(name) else None


def named_by_module(text: str) -> str | None:
    """Return the hint for who names an attribute of a Python file by the file; None for anything else.

    Args:
        text: what the user typed.
    """
    name = as_import_string(text)
    return f"a model in Python code is named by its module: {name}" if name is not None else None


def is_import_string(text: str) -> bool:
    """Tell whether a text has the form ``package.module:attribute``.

    Args:
        text: what the user typed.

    Example:
        >>> is_import_string("torch.nn:ReLU"), is_import_string("model.onnx")
        (True, False)
    """
    return _IMPORT.fullmatch(text) is not None


def from_object(target: object, label: str | None = None) -> Source:
    """Wrap a live object.

    Args:
        target: a model, or a factory of one.
        label: how tables name it; its class's name by default.

    Example:
        >>> from_object(3).label
        'int'
    """
    return Source(label or type(target).__name__, target=target)


def with_inputs(source: Source, inputs: Any) -> Source:
    """Add the user's input shapes or example inputs.

    Args:
        source: the request so far.
        inputs: a shape, a text as for ``--input``, a mapping of names to these, a sequence of
            them, or real example tensors (a tensor, or a tuple of positional arguments).

    Raises:
        UsageError: if it is none of these.

    Example:
        >>> with_inputs(from_object(3), (1, 3, 8, 8)).inputs[0].shape
        (1, 3, 8, 8)
    """
    if inputs is None:
        return source
    if isinstance(inputs, str | InputSpec) or is_shape(inputs):
        return replace(source, inputs=(spec_of(inputs),))
    if isinstance(inputs, Mapping):
        if all(is_spec(value) for value in inputs.values()):
            return replace(source, inputs=tuple(replace(spec_of(v), name=str(k)) for k, v in inputs.items()))
        return replace(source, example=((), dict(inputs)))
    if isinstance(inputs, list | tuple):
        if inputs and all(is_spec(value) for value in inputs):
            return replace(source, inputs=tuple(spec_of(value) for value in inputs))
        return replace(source, example=(tuple(inputs), {}))
    if hasattr(inputs, "shape"):
        return replace(source, example=((inputs,), {}))
    raise UsageError(
        f"input={inputs!r} is not a shape",
        expected="a shape such as (1, 3, 224, 224), a text such as 'ids=2,17:int64', or example tensors",
    )
