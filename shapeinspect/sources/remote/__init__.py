"""Remote files: ranges of bytes over HTTP, and over fsspec for every other protocol."""

from __future__ import annotations

import re

from shapeinspect.errors import UsageError
from shapeinspect.sources.remote.secrets import without_secrets
from shapeinspect.sources.source import Source, from_path

__all__ = ["from_url", "is_url"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_LOCAL = frozenset({"file", "local"})


def is_url(text: str) -> bool:
    """Tell whether a text is a URL.

    Args:
        text: what the user typed.

    Example:
        >>> is_url("https://example.org/m.onnx"), is_url("s3://b/m.onnx"), is_url("C:/m.onnx")
        (True, True, False)
    """
    return _URL.match(text) is not None


def from_url(url: str) -> Source:
    """Look at a remote file: its head bytes and its size, or the entries of a directory.

    Only ranges are read, of this file and of those that it names beside it; the first costs one
    request. ``http`` and ``https`` need nothing more; any other protocol goes through fsspec.

    Args:
        url: where it is.

    Raises:
        UsageError: if the file does not exist, or the URL is invalid.
        UnreadableFileError: if it cannot be read in ranges.
        MissingDependencyError: if the package for its protocol is not installed.
    """
    match = _URL.match(url)
    if match is None:
        raise UsageError(f"{without_secrets(url)!r} is not a URL")
    protocol = match[1].lower()
    if protocol in _LOCAL:
        return from_path(url[match.end() :])
    if protocol in ("http", "https"):
        from shapeinspect.sources.remote.http import from_http

        return from_http(url)
    from shapeinspect.sources.remote.filesystem import from_filesystem

    return from_filesystem(url)
