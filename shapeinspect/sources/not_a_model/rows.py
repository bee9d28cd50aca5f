"""Pointers, pages, archives and texts that are found in place of a model; nothing but rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from shapeinspect.sources.source import Source

_DOWNLOAD = "download the file itself; a login or license page is often saved in its place"
#: White space, and the byte order mark.
MARK = rb"\s*(?:\xef\xbb\xbf)?"


@dataclass(frozen=True, slots=True)
class Foreign:
    """One kind of file that is not a model that can be read.

    Args:
        begins: a pattern of its first bytes.
        what: the description of the file.
        hint: what the user can do.
        always: whether no readable model of any format begins like this.
        proof: what else must hold of the file; None for nothing.
    """

    begins: re.Pattern[bytes]
    what: str
    hint: str
    always: bool = True
    proof: Callable[[Source], bool] | None = None

    def fits(self, source: Source) -> bool:
        """Tell whether a file is of this kind.

        Args:
            source: the file.
        """
        return self.begins.match(source.head) is not None and (self.proof is None or self.proof(source))


def row(
    begins: bytes, what: str, hint: str, *, always: bool = True, proof: Callable[[Source], bool] | None = None
) -> Foreign:
    """Return one kind of file.

    Args:
        begins: a pattern of its first bytes; ``.`` is any byte, the case of letters does not matter.
        what: the description of the file.
        hint: what the user can do.
        always: whether no readable model of any format begins like this.
        proof: what else must hold of the file.
    """
    return Foreign(re.compile(begins, re.IGNORECASE | re.DOTALL), what, hint, always, proof)


def _packed(begins: bytes, what: str, command: str) -> Foreign:
    return row(begins, f"it is packed with {what}", f"unpack it first: {command}")


#: What holds something else, or nothing. The first row that matches is taken.
CONTAINERS: tuple[Foreign, ...] = (
    row(rb"version https://git-lfs", "it is a Git LFS pointer, not the file itself", "git lfs pull"),
    row(MARK + rb"(?:<!doctype html|<html|<head|<body)", "it is a web page, not a model", _DOWNLOAD),
    row(MARK + rb"<(?:\?xml|error>)", "it is XML, such as a server's error response", _DOWNLOAD),
    row(rb"\s*\{\s*\"(?:error|detail)\"", "it is a server's response, not a model", _DOWNLOAD),
    # The ninth byte distinguishes it from a safetensors header of 559,903 bytes.
    _packed(rb"\x1f\x8b\x08.{5}[\x00\x02\x04]", "gzip", "gzip -dc FILE > MODEL, or tar xf FILE"),
    _packed(rb"BZh[1-9]1AY&SY", "bzip2", "bzip2 -dc FILE > MODEL, or tar xf FILE"),
    _packed(rb"\xfd7zXZ\x00", "xz", "xz -dc FILE > MODEL, or tar xf FILE"),
    _packed(rb"\x28\xb5\x2f\xfd", "Zstandard", "zstd -dc FILE > MODEL"),
    _packed(rb"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x FILE"),
    _packed(rb"Rar!\x1a\x07", "RAR", "unrar x FILE"),
    row(
        rb"PK\x03\x04", "it is a zip archive with no model of a known format at its top level",
        "unzip it, and name a file or directory in it", always=False,
    ),
    row(
        rb".{257}ustar", "it is a tar archive with no model of a known format at its top level",
        "tar xf FILE, and name a file or directory in it", always=False,
    ),
    row(
        rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d\]-])",
        "it is JSON, which may describe a model but holds no weights",
        "name the weights file beside it, or the directory that contains both", always=False,
    ),
    row(rb"\x00{64}", "it begins with zeros: it was never written, or the download was cut off",
         "copy or download it again", always=False),
)  # fmt: skip
