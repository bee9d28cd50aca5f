"""Ranges over HTTP, strictly: what was asked for and nothing else, from the host that was named.

Source: RFC 9110, sections 14 (range requests) and 15.3.7 (206 Partial Content).
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.remote.ranges import BLOCK, Blocks, Budget
from shapeinspect.source import HEAD, Source

#: Seconds that a server may be silent, and that one request may take.
TIMEOUT, DEADLINE = 20.0, 120.0
_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_EMPTY = re.compile(r"bytes \*/0+")
_PIECE = 64 << 10


def from_http(url: str) -> Source:
    """Look at a file on a web server.

    Args:
        url: its address.

    Raises:
        UsageError: if there is nothing there, or the address is none.
        UnreadableFileError: if the server does not answer a request for a range as it should.
    """
    return _File(_split(url), _Connection(), Budget()).source()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"{url!r} is no address")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "an address with a user name or password in it is not taken", hint="give one without, or a copy"
        )
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return SplitResult(parts.scheme.lower(), parts.netloc, path, query, "")


class _Connection:
    """One connection that is kept open, to one host at a time."""

    def __init__(self) -> None:
        self._to: tuple[str, str] | None = None
        self._held: http.client.HTTPConnection | None = None
        self._late = False

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """End a request that takes too long, however busy the server seems.

        Args:
            seconds: how long it may take.
        """

        def end() -> None:
            self._late = True
            held = self._held
            if held is not None and held.sock is not None:
                with suppress(OSError):
                    held.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if self._late:
                raise TimeoutError

    def get(self, url: SplitResult, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Ask once; where the server has closed a connection that was kept, ask once more."""
        kept = self._held is not None and self._to == (url.scheme, url.netloc)
        try:
            return self._get(url, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            if not kept or self._late:
                raise
            return self._get(url, headers)

    def _get(self, url: SplitResult, headers: dict[str, str]) -> http.client.HTTPResponse:
        to = (url.scheme, url.netloc)
        if self._held is None or self._to != to:
            self.close()
            secure = url.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self._held, self._to = kind(url.hostname or "", url.port, timeout=TIMEOUT), to
        target = url.path + (f"?{url.query}" if url.query else "")
        self._held.request("GET", target, headers=headers)
        return self._held.getresponse()

    def close(self) -> None:
        """Give the connection up."""
        if self._held is not None:
            self._held.close()
        self._held = None


@dataclass
class _File:
    """One address, and where its host keeps the file."""

    url: SplitResult
    connection: _Connection = field(repr=False)
    budget: Budget = field(repr=False)
    tag: str | None = None
    size: int | None = None
    moved: SplitResult | None = None

    @property
    def label(self) -> str:
        # A query may be a signature that nobody else is to see.
        return urlunsplit((*self.url[:3], "", ""))

    @property
    def name(self) -> str:
        return unquote(self.url.path.rpartition("/")[2])

    def source(self) -> Source:
        blocks = self.blocks
        return Source(self.label, head=blocks.read(0, HEAD), size=blocks.size, opener=self)

    @cached_property
    def blocks(self) -> Blocks:
        """The file's blocks; the first of them comes with its length."""
        self.budget.spend(self.label, BLOCK)
        head = self._fetch(0, BLOCK)
        blocks = Blocks(self.label, self.size or 0, self._whole, self.budget)
        blocks.put(head)
        return blocks

    def open(self) -> BinaryIO:
        return self.blocks.open()

    def sibling(self, name: str) -> Source:
        path = f"{self.url.path.rpartition('/')[0]}/{quote(name)}"
        return _File(self.url._replace(path=path), self.connection, self.budget).source()

    def _whole(self, start: int, end: int) -> bytes:
        return self._fetch(start, end)

    def _fetch(self, start: int, end: int) -> bytes:
        """Ask for one range and take nothing else for an answer."""
        fine = False
        try:
            with self.connection.deadline(DEADLINE):
                response = self._ask(start, end)
                data = self._body(response, start, end)
            fine = response.isclosed()  # nothing of it is left over
            return data
        except TimeoutError:
            raise UnreadableFileError(
                self.label, f"the server is silent for {TIMEOUT:.0f} s, or needs over {DEADLINE:.0f} s"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise UnreadableFileError(self.label, f"the server cannot be asked: {reason}") from None
        finally:
            if not fine:
                self.connection.close()

    def _ask(self, start: int, end: int) -> http.client.HTTPResponse:
        headers = {
            "Range": f"bytes={start}-{end - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": "shapeinspect",
        }
        for _ in range(_REDIRECTS + 1):
            response = self.connection.get(self.moved or self.url, headers)
            if response.status not in _MOVED:
                return response
            target = response.getheader("Location") or ""
            self.connection.close()
            self.moved = self._follow(target)
        raise UnreadableFileError(self.label, f"the server redirects more than {_REDIRECTS} times")

    def _follow(self, target: str) -> SplitResult:
        """Follow a redirect on the same host only."""
        there = urljoin(urlunsplit(self.moved or self.url), target)
        try:
            found = _split(there)
        except UsageError:
            raise UnreadableFileError(self.label, "the server redirects to no address") from None
        if (found.scheme, found.netloc) != (self.url.scheme, self.url.netloc):
            raise UnreadableFileError(
                self.label,
                f"the server redirects to {found.scheme}://{found.netloc}; no other host is followed",
                hint=f"if you trust that host, name the file there: {there}",
            )
        return found

    def _body(self, response: http.client.HTTPResponse, start: int, end: int) -> bytes:
        if response.status in (404, 410):
            raise UsageError(f'there is no file "{self.label}"', got=f"{response.status} {response.reason}")
        told = response.getheader("Content-Range") or ""
        if response.status == 416 and start == 0 and _EMPTY.fullmatch(told):
            self.size = 0
            return b""
        if response.status == 200:
            raise self._refused("it answers a request for a range with the whole file (200)", start)
        if response.status != 206:
            raise self._refused(f"it answers {response.status} {response.reason}", start)
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise self._refused("it compresses what it sends", start)
        end = self._checked(told, start, end)
        length = response.getheader("Content-Length")
        if length is not None and length != str(end - start):
            raise self._refused(f"it announces {length} bytes for a range of {end - start:,}", start)
        tag = response.getheader("ETag") or response.getheader("Last-Modified") or ""
        if self.tag is not None and tag != self.tag:
            raise UnreadableFileError(self.label, "it has changed while it was read")
        self.tag = tag
        return self._take(response, end - start, start)

    def _checked(self, told: str, start: int, end: int) -> int:
        """Return where the range ends that the server says it sends."""
        found = _CONTENT_RANGE.fullmatch(told)
        if found is None:
            raise self._refused(f"its answer has the Content-Range {told!r}", start)
        first, last, size = (int(number) for number in found.groups())
        if self.size is not None and size != self.size:
            raise self._refused(f"it says the file has {size:,} bytes, and said {self.size:,} before", start)
        if first != start or last + 1 != min(end, size):
            raise self._refused(f"it sends bytes {first:,} to {last:,} of {size:,} instead", start)
        self.size = size
        return last + 1

    def _take(self, response: http.client.HTTPResponse, count: int, start: int) -> bytes:
        parts, missing = [], count
        while missing:
            part = response.read1(min(missing, _PIECE))
            if not part:
                raise self._refused(f"it cuts off after {count - missing:,} of {count:,} bytes", start)
            parts.append(part)
            missing -= len(part)
        if response.read(1):  # of an answer in chunks, which announces no length
            raise self._refused("it sends more than was asked for", start)
        return b"".join(parts)

    def _refused(self, reason: str, start: int) -> UnreadableFileError:
        return UnreadableFileError(
            self.label,
            f"the server cannot be read from in ranges: {reason}",
            offset=start,
            hint="copy the file to this machine first",
        )
