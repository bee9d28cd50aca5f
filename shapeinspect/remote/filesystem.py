"""Files of any protocol that fsspec knows, such as ``s3``, ``gs``, ``hf`` and ``memory``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

from shapeinspect.errors import MissingDependencyError, ShapeInspectError, UnreadableFileError, UsageError
from shapeinspect.remote.ranges import Blocks, Budget
from shapeinspect.source import HEAD, Source

_MAX_ENTRIES = 100_000
#: The package that brings a protocol, where fsspec does not do it itself.
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub"}
_NAMED = re.compile(r"'([\w.]+)'")


def from_filesystem(url: str) -> Source:
    """Look at a file or a directory that fsspec reaches.

    Args:
        url: where it is.

    Raises:
        UsageError: if there is nothing there, or the protocol is none.
        UnreadableFileError: if it cannot be read.
        MissingDependencyError: if fsspec or the package for its protocol is not installed.
    """
    protocol = url.partition("://")[0].lower()
    if "::" in url:
        raise UsageError(f'"{url}" chains protocols', expected="one protocol and a path, such as s3://b/m.pt")
    try:
        import fsspec
    except ImportError:
        raise MissingDependencyError("fsspec", f"{protocol} URLs", extra="remote") from None
    if protocol not in fsspec.available_protocols():
        raise UsageError(
            f'"{url}": there is no protocol {protocol!r}', expected="https, s3, gs, hf, memory …"
        )
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        named = _NAMED.search(str(error))
        package = _PACKAGES.get(protocol, named[1] if named else protocol)
        raise MissingDependencyError(package, f"{protocol} URLs", extra="remote") from None
    except Exception as error:  # noqa: BLE001  # a file system of someone else's may raise anything
        raise _unreadable(url, error) from None
    return _Remote(system, protocol, str(path), Budget()).source()


def _unreadable(label: str, error: Exception) -> ShapeInspectError:
    text = str(error) or "no reason given"
    return UnreadableFileError(label, f"{type(error).__name__}: {text[:300]}")


@dataclass(frozen=True)
class _Remote:
    """One path of a file system."""

    system: Any
    protocol: str
    path: str
    budget: Budget = field(repr=False)

    @property
    def label(self) -> str:
        return f"{self.protocol}://{self.path.lstrip('/')}"

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the file system says of the path; asked for once."""
        try:
            self.budget.spend(self.label, 0)
            return dict(self.system.info(self.path))
        except FileNotFoundError:
            raise UsageError(f'there is no file "{self.label}"') from None
        except ShapeInspectError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            raise _unreadable(self.label, error) from None

    def source(self) -> Source:
        if self.facts.get("type") == "directory":
            return Source(self.label, entries=self._entries(), opener=self)
        size = self.blocks.size
        return Source(self.label, head=self.blocks.read(0, min(HEAD, size)), size=size, opener=self)

    def _entries(self) -> tuple[str, ...]:
        try:
            self.budget.spend(self.label, 0)
            found = self.system.ls(self.path, detail=False)
        except Exception as error:  # noqa: BLE001  # as above
            raise _unreadable(self.label, error) from None
        if len(found) > _MAX_ENTRIES:
            raise UnreadableFileError(self.label, f"the directory has {len(found):,} entries")
        return tuple(sorted(str(path).rstrip("/").rpartition("/")[2] for path in found))

    @cached_property
    def blocks(self) -> Blocks:
        size = self.facts.get("size")
        if type(size) is not int or size < 0:
            raise UnreadableFileError(self.label, "its length is not known")
        return Blocks(self.label, size, self._fetch, self.budget)

    def _fetch(self, start: int, end: int) -> bytes:
        try:
            # No cache of its own: what is asked for is what is read.
            with self.system.open(self.path, "rb", cache_type="none") as file:
                file.seek(start)
                return bytes(file.read(end - start))
        except Exception as error:  # noqa: BLE001  # as above
            raise _unreadable(self.label, error) from None

    def open(self) -> BinaryIO:
        return self.blocks.open()

    def sibling(self, name: str) -> Source:
        folder = self.path.rstrip("/")
        if self.facts.get("type") != "directory":
            folder = folder.rpartition("/")[0]
        return _Remote(self.system, self.protocol, f"{folder}/{name}", self.budget).source()
