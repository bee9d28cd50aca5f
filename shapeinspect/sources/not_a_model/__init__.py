"""Files that are often found in place of a model, and what can be done about each: tables of rows.

``rows`` has pointers, pages and archives, ``tools`` the files of other tools with what converts them,
``objects`` the objects in memory; ``proofs`` looks at what the first bytes alone do not show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shapeinspect.errors import ShapeInspectError, UnreadableFileError
from shapeinspect.sources.not_a_model.objects import foreign_object
from shapeinspect.sources.not_a_model.rows import CONTAINERS, Foreign
from shapeinspect.sources.not_a_model.tools import PACKAGES, TOOLS
from shapeinspect.sources.source import HEAD, Source

__all__ = ["foreign", "foreign_directory", "foreign_object"]

_MAX_TITLE = 60
_MAX_LOOKED_INTO = 32
_TITLE = re.compile(
    rb"<title[^>]*>([^<]{1,200})|<code>([^<]{1,200})|\"(?:error|message)\": ?\"([^\"]{1,200})", re.I
)

#: The first row that fits is taken.
FOREIGN: tuple[Foreign, ...] = (*TOOLS, *CONTAINERS)


def foreign(source: Source, *, unknown: bool = False) -> UnreadableFileError | None:
    r"""Return why a file cannot be a model, or None if it may be one.

    Args:
        source: the file.
        unknown: whether no adapter recognized it.

    Example:
        >>> from pathlib import Path
        >>> head = b"version https://git-lfs.github.com/spec/v1\n"
        >>> print(foreign(Source("m.bin", Path("m.bin"), head, len(head))))
        cannot read "m.bin": it is a Git LFS pointer, not the file itself
          try       git lfs pull
    """
    if source.is_live or source.is_directory or not source.head:
        return None
    for row in FOREIGN:
        if (unknown or row.always) and row.fits(source):
            hint = row.hint.replace("FILE", source.name)
            return UnreadableFileError(source.label, f"{row.what}{_title(source.head)}", hint=hint)
    if unknown and _is_text(source.head):
        return UnreadableFileError(
            source.label,
            f"it is a text file that begins with {_line(source.head)!r}",
            hint="name the weights file, or the directory that contains it",
        )
    return None


def foreign_directory(source: Source) -> UnreadableFileError | None:
    """Return what a directory without a model that can be read is, or None if that is not known.

    Args:
        source: the directory.
    """
    for names, what, hint in PACKAGES:
        if names <= set(source.entries):
            return UnreadableFileError(source.label, what, hint=hint)
    for file in _files(source):
        if any(row.fits(file) for row in TOOLS):
            refused = foreign(file, unknown=True)
            if refused is not None:
                return UnreadableFileError(
                    source.label, f"in it, {file.name}: {refused.reason}", hint=refused.hint
                )
    return None


def _files(source: Source) -> Iterator[Source]:
    # A remote directory is not searched, which would take a request for each file.
    for name in source.entries[:_MAX_LOOKED_INTO] if source.path is not None else ():
        try:
            file = source.sibling(name)
        except ShapeInspectError:
            continue
        if not file.is_directory:
            yield file


def _title(head: bytes) -> str:
    """Return the title of a page or the message of a response, as the end of a sentence."""
    match = _TITLE.search(head) if head.lstrip()[:1] in (b"<", b"{") else None
    text = next((part for part in match.groups() if part), b"") if match is not None else b""
    title = " ".join(text.decode("utf-8", "replace").split())[:_MAX_TITLE]
    return f': "{title}"' if title else ""


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut in two.
        if len(head) < HEAD or error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(char >= " " or char in "\t\r\n" for char in text)


def _line(head: bytes) -> str:
    return head.decode("utf-8", "replace").strip().partition("\n")[0].rstrip()[:_MAX_TITLE]
