"""The directory that tools may read, and cannot leave."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.sources.remote import from_url, is_url
from shapeinspect.sources.remote.secrets import without_secrets
from shapeinspect.sources.source import Source, as_import_string, from_path, is_import_string

#: The protocols that lead to another machine: ``file`` and the chains of fsspec (``zip::file:…``) lead back.
_FAR = ("http", "https", "s3", "gs", "hf")
_CHAIN = "::"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
#: How many names of a directory are compared with one that is not there.
_COMPARED = 2000


@dataclass(frozen=True, slots=True)
class Root:
    """A directory whose models may be read, and nothing outside of it.

    Args:
        folder: the directory, without links.
        remote: whether models on other machines may be read.

    Example:
        >>> Root.of(Path("tests/data")).locate("lenet.onnx").label
        'lenet.onnx'
    """

    folder: Path
    remote: bool = False

    @classmethod
    def of(cls, folder: Path, *, remote: bool = False) -> Root:
        """Take a directory as the root.

        Args:
            folder: the directory.
            remote: whether models on other machines may be read.

        Raises:
            UsageError: if it is no directory.
        """
        real = Path(os.path.realpath(folder))
        if not real.is_dir():
            raise UsageError(f'"{folder}" is not a directory', expected="a directory with models")
        return cls(real, remote)

    def has(self, name: str) -> bool:
        """Tell whether there is anything of a name inside the root.

        Args:
            name: a path.

        Example:
            >>> root = Root.of(Path("tests/data"))
            >>> root.has("lenet.onnx"), root.has("conv"), root.has("../core")
            (True, False, False)
        """
        if not name or "\0" in name or is_url(name):
            return False
        path = self.folder / name
        return self._is_inside(path) and os.path.lexists(path)

    def locate(self, name: str) -> Source:
        """Find a model that a client names.

        Args:
            name: a path, relative to the root or absolute, or a URL.

        Raises:
            UsageError: if there is no such file, or it may not be read: what is outside, what would be
                imported and run, and a URL where no other machine may be read.
            UnreadableFileError: if it cannot be read.
        """
        if is_url(name):
            return self._far(name)
        path = self.folder / name if "\0" not in name else None
        if path is None or not name:
            raise UsageError("this is no name of a file", expected=self._expected, got=repr(name[:80]))
        if not self._is_inside(path):
            raise UsageError(
                "the path leads out of the directory that may be read",
                expected=self._expected,
                got=name,
                hint="copy the model there, or start the server with another --root",
            )
        if not os.path.lexists(path):
            raise self._missing(name, path)
        # Links on the way are resolved once; the file itself may be one, which its neighbors are not beside.
        path = Path(os.path.realpath(path.parent)) / path.name
        if path.name in ("", "..") or not path.is_relative_to(self.folder):
            path = Path(os.path.realpath(self.folder / name))
        source = replace(from_path(path, name), root=self.folder)
        source.check_root(path)
        return source

    @property
    def _expected(self) -> str:
        return f'a path inside "{self.folder}"' + (", or a URL" if self.remote else "")

    def _is_inside(self, path: Path) -> bool:
        try:
            return Path(os.path.realpath(path)).is_relative_to(self.folder)
        except OSError:  # a circle of links, a name that is too long
            return False

    def _far(self, url: str) -> Source:
        shown = without_secrets(url)
        if not self.remote:
            raise UsageError(
                "models on other machines may not be read",
                expected=self._expected,
                got=shown,
                hint="start the server with --allow-remote",
            )
        protocol = url.partition("://")[0].lower()
        if protocol not in _FAR or _CHAIN in url:
            raise UsageError(
                "this URL may not be read",
                expected=f"one of {', '.join(f'{known}://' for known in _FAR)}, without {_CHAIN}",
                got=shown,
            )
        return from_url(url)

    def _missing(self, name: str, path: Path) -> UsageError | UnreadableFileError:
        if as_import_string(name) is not None or (is_import_string(name) and not _DRIVE.match(name)):
            return UsageError(
                "code is neither imported nor run here",
                expected=f"a saved model: {self._expected}",
                got=name,
                hint=f"shapeinspect show {as_import_string(name) or name}, in a shell",
            )
        hint = None
        if path.parent.is_dir():
            names = [entry for entry, _ in zip(os.listdir(path.parent), range(_COMPARED), strict=False)]
            close = get_close_matches(path.name, names, 3)
            hint = f"did you mean {' or '.join(close)}?" if close else None
        return UsageError(f'no such file: "{name}"', expected=self._expected, hint=hint)
