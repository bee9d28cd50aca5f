"""Files that are often found in place of a model: pointers, web pages, archives; nothing but rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import HEAD, Source

_DOWNLOAD = "download the file itself; a login or license page is often saved in its place"
_MAX_TITLE = 60
#: White space, and the byte order mark.
_MARK = rb"\s*(?:\xef\xbb\xbf)?"
_TITLE = re.compile(
    rb"<title[^>]*>([^<]{1,200})|<code>([^<]{1,200})|\"(?:error|message)\": ?\"([^\"]{1,200})", re.I
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """One kind of file that is not a model.

    Args:
        begins: a pattern of its first bytes.
        what: the description of the file.
        hint: what the user can do.
        always: whether no model of any format begins like this.
    """

    begins: re.Pattern[bytes]
    what: str
    hint: str
    always: bool = True


def _row(begins: bytes, what: str, hint: str, *, always: bool = True) -> Foreign:
    return Foreign(re.compile(begins, re.IGNORECASE | re.DOTALL), what, hint, always)


def _packed(begins: bytes, what: str, command: str) -> Foreign:
    return _row(begins, f"it is packed with {what}", f"unpack it first: {command}")


#: The first row that matches is taken.
FOREIGN: tuple[Foreign, ...] = (
    _row(rb"version https://git-lfs", "it is a Git LFS pointer, not the file itself", "git lfs pull"),
    _row(_MARK + rb"(?:<!doctype html|<html|<head|<body)", "it is a web page, not a model", _DOWNLOAD),
    _row(_MARK + rb"<(?:\?xml|error>)", "it is XML, such as a server's error response", _DOWNLOAD),
    _row(rb"\s*\{\s*\"(?:error|detail)\"", "it is a server's response, not a model", _DOWNLOAD),
    # The ninth byte distinguishes it from a safetensors header of 559,903 bytes.
    _packed(rb"\x1f\x8b\x08.{5}[\x00\x02\x04]", "gzip", "gzip -dc FILE > MODEL, or tar xf FILE"),
    _packed(rb"BZh[1-9]1AY&SY", "bzip2", "bzip2 -dc FILE > MODEL, or tar xf FILE"),
    _packed(rb"\xfd7zXZ\x00", "xz", "xz -dc FILE > MODEL, or tar xf FILE"),
    _packed(rb"\x28\xb5\x2f\xfd", "Zstandard", "zstd -dc FILE > MODEL"),
    _packed(rb"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x FILE"),
    _packed(rb"Rar!\x1a\x07", "RAR", "unrar x FILE"),
    _row(
        rb"PK\x03\x04", "it is a zip archive with no model of a known format at its top level",
        "unzip it, and name a file or directory in it", always=False,
    ),
    _row(
        rb".{257}ustar", "it is a tar archive with no model of a known format at its top level",
        "tar xf FILE, and name a file or directory in it", always=False,
    ),
    _row(
        rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d\]-])",
        "it is JSON, which may describe a model but holds no weights",
        "name the weights file beside it, or the directory that contains both", always=False,
    ),
    _row(rb"\x00{64}", "it begins with zeros: it was never written, or the download was cut off",
         "copy or download it again", always=False),
)  # fmt: skip


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
    for row in _possible(FOREIGN, unknown):
        if row.begins.match(source.head) is not None:
            return UnreadableFileError(source.label, f"{row.what}{_title(source.head)}", hint=row.hint)
    if unknown and _is_text(source.head):
        return UnreadableFileError(
            source.label,
            f"it is a text file that begins with {_line(source.head)!r}",
            hint="name the weights file, or the directory that contains it",
        )
    return None


def _possible(rows: Sequence[Foreign], unknown: bool) -> Sequence[Foreign]:
    return rows if unknown else [row for row in rows if row.always]


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
