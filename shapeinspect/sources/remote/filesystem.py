"""Files of any protocol that fsspec knows, such as ``s3``, ``gs``, ``hf`` and ``memory``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, BinaryIO

from shapeinspect.errors import MissingDependencyError, ShapeInspectError, UnreadableFileError, UsageError
from shapeinspect.sources.remote.connection import Connection
from shapeinspect.sources.remote.http import HUB, on_hub
from shapeinspect.sources.remote.ranges import Blocks, Budget
from shapeinspect.sources.remote.secrets import without_secrets
from shapeinspect.sources.source import HEAD, Source

_MAX_ENTRIES = 100_000
_S3 = (
    "credentials come from AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a public bucket "
    "set FSSPEC_S3_ANON=true"
)
_GS = (
    "credentials come from gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS; for a "
    "public bucket set FSSPEC_GS_TOKEN=anon"
)
#: The package of a protocol that fsspec does not implement itself, and where credentials come from.
_STORES = {
    "s3": ("s3fs", _S3),
    "s3a": ("s3fs", _S3),
    "gs": ("gcsfs", _GS),
    "gcs": ("gcsfs", _GS),
    "hf": ("huggingface_hub", HUB),
}
#: The words in a library's error that mean missing or insufficient credentials.
_REFUSED = re.compile(
    r"Credential|Permission|Forbidden|Unauthorized|Access ?Denied|Gated|DefaultCredentials|\b40[13]\b"
)
_NAMED = re.compile(r"'([\w.]+)'")


def from_filesystem(url: str) -> Source:
    """Look at a file or a directory that fsspec reaches.

    Args:
        url: where it is.

    Raises:
        UsageError: if the file does not exist, or the protocol is unknown.
        UnreadableFileError: if it cannot be read.
        MissingDependencyError: if fsspec or the package for its protocol is not installed.
    """
    protocol = url.partition("://")[0].lower()
    if "::" in url:
        raise UsageError(
            f'"{without_secrets(url)}" chains protocols',
            expected="one protocol and a path, such as s3://b/m.pt",
        )
    try:
        import fsspec
    except ImportError:
        raise MissingDependencyError("fsspec", f"{protocol} URLs", extra="remote") from None
    if protocol not in fsspec.available_protocols():
        raise UsageError(
            f'"{without_secrets(url)}": unknown protocol {protocol!r}',
            expected="https, s3, gs, hf, memory …",
        )
    try:
        system, path = _opened(url, protocol)
    except ImportError as error:
        named = _NAMED.search(str(error))
        package = _STORES[protocol][0] if protocol in _STORES else named[1] if named else protocol
        raise MissingDependencyError(package, f"{protocol} URLs", extra="remote") from None
    except Exception as error:  # noqa: BLE001  # a third party's file system may raise anything
        raise _unreadable(without_secrets(url), error) from None
    return _Remote(system, protocol, path, Budget(), Connection()).source()


def _opened(url: str, protocol: str) -> tuple[Any, str]:
    """Return the file system and the path in it, as the environment sets it up.

    It is a new instance: the cache of another instance may be older than the file.
    """
    if protocol in ("gs", "gcs"):
        # The class that gcsfs registers first asks a gRPC service for the kind of every bucket; this
        # one uses HTTP only. Its session ignores proxies unless trust_env is set.
        from gcsfs.core import GCSFileSystem

        settings = {"session_kwargs": {"trust_env": True}}
        return GCSFileSystem(skip_instance_cache=True, **settings), GCSFileSystem._strip_protocol(url)
    import fsspec

    system, path = fsspec.core.url_to_fs(url, skip_instance_cache=True)
    return system, str(path)


def _unreadable(label: str, error: Exception) -> ShapeInspectError:
    """Turn a library's error into ours, with a hint where the user's credentials are the problem."""
    lines = without_secrets(str(error)).strip().splitlines() or ["no reason given"]
    text, kind = lines[0], type(error).__name__
    protocol = label.partition("://")[0]
    hint = None
    if protocol in _STORES and _REFUSED.search(f"{kind} {text}"):
        hint = _STORES[protocol][1]
    return UnreadableFileError(label, f"{kind}: {text[:300]}", hint=hint)


@dataclass(frozen=True)
class _Remote:
    """One path of a file system."""

    system: Any
    protocol: str
    path: str
    budget: Budget = field(repr=False)
    connection: Connection = field(repr=False)

    @property
    def label(self) -> str:
        return without_secrets(f"{self.protocol}://{self.path.lstrip('/')}")

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The file system's facts about the path, requested once."""
        try:
            self.budget.spend(self.label, 0)
            return dict(self.system.info(self.path))
        except FileNotFoundError:
            hint = "without a token, a private or gated repository looks as if it did not exist: " + HUB
            raise UsageError(
                f'no such file: "{self.label}"', hint=hint if self.protocol == "hf" else None
            ) from None
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
            paths = self.system.ls(self.path, detail=False)
        except Exception as error:  # noqa: BLE001  # as above
            raise _unreadable(self.label, error) from None
        if len(paths) > _MAX_ENTRIES:
            raise UnreadableFileError(self.label, f"the directory has {len(paths):,} entries")
        return tuple(sorted(str(path).rstrip("/").rpartition("/")[2] for path in paths))

    @cached_property
    def blocks(self) -> Blocks:
        if self.protocol == "hf":
            return self._on_hub()
        size = self.facts.get("size")
        if type(size) is not int or size < 0:
            raise UnreadableFileError(self.label, "its size is unknown")
        return Blocks(self.label, size, self._fetch, self.budget)

    def _on_hub(self) -> Blocks:
        """Request ranges from the hub strictly; the library's own reader accepts a whole file for a range."""
        try:
            from huggingface_hub.utils import build_hf_headers

            url = str(self.system.url(self.path))
            headers = build_hf_headers(token=self.system.token, library_name="shapeinspect")
        except Exception as error:  # noqa: BLE001  # as above
            raise _unreadable(self.label, error) from None
        return on_hub(url, self.label, headers, self.connection, self.budget)

    def _fetch(self, start: int, end: int) -> bytes:
        try:
            with self.budget.clock(self.label):
                if getattr(self.system, "async_impl", False):  # it requests just this range
                    return bytes(self.system.cat_file(self.path, start=start, end=end))
                # Without a cache of its own it reads just this range.
                with self.system.open(self.path, "rb", cache_type="none") as file:
                    file.seek(start)
                    return bytes(file.read(end - start))
        except ShapeInspectError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            raise _unreadable(self.label, error) from None

    def open(self) -> BinaryIO:
        return self.blocks.open()

    def sibling(self, name: str) -> Source:
        folder = self.path.rstrip("/")
        if self.facts.get("type") != "directory":
            folder = folder.rpartition("/")[0]
        return replace(self, path=f"{folder}/{name}").source()
