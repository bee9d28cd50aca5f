"""The request: a path, an import string or a live object, with its head bytes read once."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Protocol

from shapeinspect.dims import UNKNOWN, Dim, Shape, symbol
from shapeinspect.errors import UnreadableFileError, UsageError

#: How many bytes of a file are read before an adapter is chosen.
HEAD = 4096

_IMPORT = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_OF_FILE = re.compile(r"(?P<file>.+)\.py:(?P<attribute>[\w.]+)")
_DTYPE = re.compile(r"(?:bool|bfloat16|complex(?:64|128)|float(?:16|32|64)|u?int(?:8|16|32|64))")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: The longest names and paths that file systems allow, in bytes.
_LONGEST_NAME, _LONGEST_PATH = 255, 2048
#: A model cache stores every file once, under its hash beside its ``snapshots``, and links to it.
_CACHE_LINK = re.compile(r"(?:\.\./){1,8}blobs/[0-9A-Za-z_-]{8,128}")
_DIM = re.compile(r"\d+|[^\W\d]\w*|\?")
#: How many links a path may lead through, as in the Linux kernel.
_LINKS = 40
#: The characters of a length or symbol, and a length that no array has.
_LONGEST, _TOO_LONG = 64, 1 << 63
_NAMES = "a path, or package.module:attribute for a model in Python code"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The shape of one input, as ``--input`` names it.

    Args:
        shape: its lengths; symbols and unknown ones are allowed.
        name: the input's name, or None for the next one in order.
        dtype: its element type in numpy's spelling, or None for the model's own.

    Example:
        >>> InputSpec.parse("ids=2,17:int64")
        InputSpec(shape=(2, 17), name='ids', dtype='int64')
    """

    shape: Shape
    name: str | None = None
    dtype: str | None = None

    @classmethod
    def parse(cls, text: str) -> InputSpec:
        """Read ``[name=]2,3,224,224[:dtype]``.

        Args:
            text: lengths separated by ``,`` or ``x``; ``?`` is an unknown length, a word a symbol.

        Raises:
            UsageError: if the text is not a shape.

        Example:
            >>> InputSpec.parse("1x3xHxW").shape
            (1, 3, H, W)
        """
        name, equals, rest = text.rpartition("=")
        body, colon, dtype = rest.partition(":")
        if colon and not _DTYPE.fullmatch(dtype.strip()):
            raise UsageError(
                f"invalid value {text!r} for '--input': {dtype!r} is not a dtype",
                expected="a dtype such as float32, bfloat16, int64 or bool",
            )
        body = body.strip().removeprefix("(").removesuffix(")").strip().rstrip(",")
        numeric = re.fullmatch(r"(?:\d+|[A-Z?])(?:x(?:\d+|[A-Z?]))+", body)
        parts = [part.strip() for part in (body.split("x") if numeric else body.split(","))] if body else []
        for part in parts:
            named = _DIM.fullmatch(part) and len(part) <= _LONGEST
            if not named or (part.isdecimal() and int(part) >= _TOO_LONG):
                raise UsageError(
                    f"invalid value {_cut(text)!r} for '--input'",
                    expected="lengths separated by commas, such as 1,3,224,224 or ids=2,17:int64",
                    got=repr(_cut(part)),
                )
        return cls(
            tuple(_dim(part) for part in parts), name.strip() if equals else None, dtype.strip() or None
        )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _dim(text: str) -> Dim:
    return UNKNOWN if text == "?" else int(text) if text.isdecimal() else symbol(text)


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
        return tuple(spec for value in (*args, kwargs) for spec in _specs_of(value, None))

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
            _check_links(*self.named_by)
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
        _check_links(folder, name, self.label)
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


def check_inside(name: str, label: str) -> None:
    """Refuse a path from a file that could lead outside that file's directory, or that no file can have.

    The check is lexical: nothing is looked up.

    Args:
        name: the path as the file spells it.
        label: the file that names it, for the error.

    Raises:
        UnreadableFileError: for an absolute path, a drive, ``..``, a backslash or a NUL, and for a
            name that is too long.

    Example:
        >>> check_inside("data/a.bin", "m.onnx")
    """
    parts = name.split("/")
    if (
        not name
        or name.startswith("/")
        or any(char in name for char in "\\\0:")
        or any(part in ("..", ".", "") for part in parts[1:])
        or parts[0] in ("..", "")
    ):
        raise UnreadableFileError(label, f"it names a path outside its own directory: {name!r}")
    sizes = [len(part.encode("utf-8", "replace")) for part in parts]
    if sum(sizes) > _LONGEST_PATH or max(sizes) > _LONGEST_NAME or _SURROGATE.search(name):
        raise UnreadableFileError(label, f"it names a path that no file can have: {name[:80]!r}")


def _check_links(folder: Path, name: str, label: str) -> None:
    """Follow every link of a path by its text to the end, without a look at what lies outside."""
    inside: list[str] = []
    ahead, links = name.split("/")[::-1], 0
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not inside:
                raise _leads_outside(name, label, "..")
            inside.pop()
            continue
        path = folder.joinpath(*inside, part)
        target = _link(path, label)
        if target is None:
            inside.append(part)
            continue
        links += 1
        if links > _LINKS:
            raise UnreadableFileError(label, f"{name!r} is a link to a link, {_LINKS} times over")
        if _CACHE_LINK.fullmatch(target):
            if ahead or not _is_blob(path.parent, target, label):
                raise _leads_outside(name, label, target)
            return
        if os.path.isabs(target):
            raise _leads_outside(name, label, target)
        ahead += target.split("/")[::-1]


def _is_blob(folder: Path, target: str, label: str) -> bool:
    """Tell whether a link leads to a file under its hash, which is no link in its turn, of the same cache."""
    real = Path(os.path.realpath(folder))
    blob = Path(os.path.normpath(real / target))
    caches = [above.parent for above in real.parents if above.name == "snapshots"]
    return blob.parent.parent in caches and not any(_link(part, label) for part in (blob.parent, blob))


def _link(path: Path, label: str) -> str | None:
    """Return the text of a link; None for anything else."""
    try:
        return os.readlink(path).replace(os.sep, "/") if os.path.islink(path) else None
    except OSError as error:
        raise UnreadableFileError(label, error.strerror or str(error)) from None


def _leads_outside(name: str, label: str, target: str) -> UnreadableFileError:
    return UnreadableFileError(
        label,
        f"{name!r} is a link that leads outside its directory: {target!r}",
        hint="name the directory that the link leads to",
    )


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
    if isinstance(inputs, str | InputSpec) or _is_shape(inputs):
        return replace(source, inputs=(_spec(inputs),))
    if isinstance(inputs, Mapping):
        if all(_is_spec(value) for value in inputs.values()):
            return replace(source, inputs=tuple(replace(_spec(v), name=str(k)) for k, v in inputs.items()))
        return replace(source, example=((), dict(inputs)))
    if isinstance(inputs, list | tuple):
        if inputs and all(_is_spec(value) for value in inputs):
            return replace(source, inputs=tuple(_spec(value) for value in inputs))
        return replace(source, example=(tuple(inputs), {}))
    if hasattr(inputs, "shape"):
        return replace(source, example=((inputs,), {}))
    raise UsageError(
        f"input={inputs!r} is not a shape",
        expected="a shape such as (1, 3, 224, 224), a text such as 'ids=2,17:int64', or example tensors",
    )


def _specs_of(value: Any, name: str | None) -> Iterator[InputSpec]:
    """Yield the shapes of the tensors in an argument; a mapping names them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _specs_of(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _specs_of(item, name)
    elif hasattr(value, "shape"):
        yield InputSpec(tuple(UNKNOWN if length is None else int(length) for length in value.shape), name)


def _is_shape(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return type(value).__name__ == "Size" or (isinstance(value, list | tuple) and not value)
    return all(dim is None or (isinstance(dim, int) and not isinstance(dim, bool)) for dim in value)


def _is_spec(value: Any) -> bool:
    return isinstance(value, str | InputSpec) or _is_shape(value)


def _spec(value: str | InputSpec | Iterable[int | None]) -> InputSpec:
    if isinstance(value, InputSpec):
        return value
    if isinstance(value, str):
        return InputSpec.parse(value)
    return InputSpec(tuple(UNKNOWN if dim is None else int(dim) for dim in value))
