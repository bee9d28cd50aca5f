"""Paths and links that a file names: none may lead out of the file's directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from shapeinspect.errors import UnreadableFileError

_SURROGATE = re.compile("[\ud800-\udfff]")
#: The longest names and paths that file systems allow, in bytes.
_LONGEST_NAME, _LONGEST_PATH = 255, 2048
#: A model cache stores every file once, under its hash beside its ``snapshots``, and links to it.
_CACHE_LINK = re.compile(r"(?:\.\./){1,8}blobs/[0-9A-Za-z_-]{8,128}")
#: How many links a path may lead through, as in the Linux kernel.
_LINKS = 40


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


def check_links(folder: Path, name: str, label: str) -> None:
    """Follow every link of a path by its text to the end, without a look at what lies outside.

    Args:
        folder: the directory that the path begins in.
        name: the path, as the file spells it.
        label: the file that names it, for the error.

    Raises:
        UnreadableFileError: if a link leads outside; a model cache's links to its blobs are ordinary.

    Example:
        >>> check_links(Path("."), "README.md", "m.onnx")
    """
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
