"""Ranges over HTTP, strictly: what was asked for and nothing else, from the host that was named.

Source: RFC 9110, sections 14 (range requests) and 15.3.7 (206 Partial Content).
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Frozen
from shapeinspect.sources.remote.connection import DEADLINE, TIMEOUT, Connection
from shapeinspect.sources.remote.ranges import BLOCK, Blocks, Budget
from shapeinspect.sources.remote.secrets import without_secrets
from shapeinspect.sources.source import HEAD, Source

_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_NOT_ALLOWED = frozenset({401, 403, 407})
_EMPTY = re.compile(r"bytes \*/0+")
_PIECE = 64 << 10
#: A hub may answer with a whole file of so many bytes: an index, a configuration.
_WHOLE = 16 << 20
#: A model on Hugging Face, by its address for browsers.
_HUB_FILE = re.compile(r"/((?:datasets/)?[\w.-]+/[\w.-]+)/(?:resolve|blob)/([\w.-]+)/(.+)")
#: What to do where the hub refuses.
HUB = "set HF_TOKEN (huggingface.co/settings/tokens), and accept the model's conditions on its page"


def from_http(url: str) -> Source:
    """Look at a file on a web server.

    Args:
        url: its address.

    Raises:
        UsageError: if there is nothing there, or the address is none.
        UnreadableFileError: if the server does not answer a request for a range as it should.
    """
    return WebFile(_split(url), Connection(), Budget()).source()


def on_hub(url: str, name: str, headers: Mapping[str, str], connection: Connection, budget: Budget) -> Blocks:
    """Return the blocks of a file whose host may send to another one for its bytes.

    Args:
        url: its address on the hub.
        name: how errors name it.
        headers: what the hub alone is told with every request: the user's credentials.
        connection: what asks.
        budget: what may still be spent.
    """
    return WebFile(_split(url), connection, budget, Frozen(headers), name).blocks


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"{without_secrets(url)!r} is not a URL")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "an address with a user name or password in it is not accepted",
            hint="use a URL without them, or a local copy",
        )
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return SplitResult(parts.scheme.lower(), parts.netloc, path, query, "")


def _host(url: SplitResult) -> tuple[str, str]:
    return url.scheme, url.netloc


def redirect_hint(url: SplitResult) -> str:
    """Say how to read a file that a redirect to another host leads to.

    Args:
        url: the address that was asked for; a hub's for browsers has one for programs, too.
    """
    found = _HUB_FILE.fullmatch(unquote(url.path)) if url.hostname in ("huggingface.co", "hf.co") else None
    if found is None:
        return "if you trust that host, name the file by its address there; or copy it to this machine"
    at = "" if found[2] == "main" else f"@{found[2]}"
    return f"hf://{found[1]}{at}/{found[3]}"


@dataclass
class WebFile:
    """One address, and where its host keeps the file.

    Args:
        url: the address.
        connection: what asks.
        budget: what may still be spent.
        private: what that host alone is told; with it, a redirect to another host is followed.
        shown: how errors name the file; its address without the query by default.
        tag: which version of the file has been read so far.
        size: its length, as soon as the server has told it.
        moved: where the host has sent us.
        whole: the file, where a hub has sent all of it.
    """

    url: SplitResult
    connection: Connection = field(repr=False)
    budget: Budget = field(repr=False)
    private: Frozen[str] | None = field(default=None, repr=False)
    shown: str = ""
    tag: str | None = None
    size: int | None = None
    moved: SplitResult | None = None
    whole: bytes | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """How errors name it."""
        # A query may be a signature that nobody else is to see.
        return self.shown or urlunsplit((*self.url[:3], "", ""))

    @property
    def name(self) -> str:
        """The file's own name."""
        return unquote(self.url.path.rpartition("/")[2])

    def source(self) -> Source:
        """Look at its head."""
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
        """Open it for reading."""
        return self.blocks.open()

    def sibling(self, name: str) -> Source:
        """Return the file beside it.

        Args:
            name: a relative path.
        """
        path = f"{self.url.path.rpartition('/')[0]}/{quote(name)}"
        return WebFile(self.url._replace(path=path), self.connection, self.budget).source()

    def _whole(self, start: int, end: int) -> bytes:
        return self._fetch(start, end)

    def _fetch(self, start: int, end: int) -> bytes:
        """Ask for one range and take nothing else for an answer."""
        if self.whole is not None:
            return self.whole[start:end]
        fine = False
        try:
            with self.connection.deadline():
                response = self._ask(start, end)
                data = self._body(response, start, end)
            fine = response.isclosed()  # nothing of it is left over
            return data
        except TimeoutError:
            raise UnreadableFileError(
                self.label, f"the server is silent for {TIMEOUT:.0f} s, or needs over {DEADLINE:.0f} s"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = without_secrets(str(error)) or type(error).__name__
            raise UnreadableFileError(self.label, f"the request failed: {reason}") from None
        finally:
            if not fine:
                self.connection.close()

    def _ask(self, start: int, end: int) -> http.client.HTTPResponse:
        known = self.moved is not None
        response = self._follow(start, end)
        if known and response.status in _NOT_ALLOWED:
            # The place that was good for the ranges before may be signed for minutes only.
            self.connection.close()
            self.moved = None
            self.budget.spend(self.label, 0)
            response = self._follow(start, end)
        return response

    def _follow(self, start: int, end: int) -> http.client.HTTPResponse:
        headers = {
            "Range": f"bytes={start}-{end - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": "shapeinspect",
        }
        for _ in range(_REDIRECTS + 1):
            at = self.moved or self.url
            own = self.private if self.private and _host(at) == _host(self.url) else {}
            response = self.connection.get(at, {**headers, **own})
            if response.status not in _MOVED:
                return response
            target = response.getheader("Location") or ""
            response.read(_PIECE)
            if not response.isclosed():  # a long page goes with the redirect
                self.connection.close()
            self.moved = self._target(at, target)
        raise UnreadableFileError(self.label, f"the server redirects more than {_REDIRECTS} times")

    def _target(self, at: SplitResult, target: str) -> SplitResult:
        """Return where a redirect leads: to the same host, or to any that keeps what a hub lists."""
        try:
            found = _split(urljoin(urlunsplit(at), target))
        except (UsageError, ValueError):
            raise UnreadableFileError(self.label, "the server redirects without an address") from None
        if _host(found) == _host(self.url):
            return found
        there = f"{found.scheme}://{found.netloc}"
        if self.private is None:
            raise UnreadableFileError(
                self.label,
                f"the server redirects to {there}; redirects to other hosts are not followed",
                hint=redirect_hint(self.url),
            )
        if found.scheme not in ("http", "https") or (self.url.scheme == "https" != found.scheme):
            raise UnreadableFileError(self.label, f"the server redirects to {there}, which is not encrypted")
        return found

    def _body(self, response: http.client.HTTPResponse, start: int, end: int) -> bytes:
        if response.status in (404, 410):
            raise UsageError(f'no such file: "{self.label}"', got=f"{response.status} {response.reason}")
        if response.status in _NOT_ALLOWED:
            raise UnreadableFileError(
                self.label,
                f"the server denies access: {response.status} {response.reason}{self._why(response)}",
                hint=HUB
                if self.private is not None
                else "copy the file to this machine with a tool that is allowed to read it",
            )
        told = response.getheader("Content-Range") or ""
        if response.status == 416 and start == 0 and _EMPTY.fullmatch(told):
            self.size = 0
            return b""
        if response.status == 200 and self.private is not None:
            return self._all(response)[start:end]
        if response.status == 200:
            raise self._refused("the server answers a range request with the whole file (200)", start)
        if response.status != 206:
            raise self._refused(f"it answers {response.status} {response.reason}", start)
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise self._refused("the response is compressed", start)
        end = self._checked(told, start, end)
        length = response.getheader("Content-Length")
        if length is not None and length != str(end - start):
            raise self._refused(f"it announces {length} bytes for a range of {end - start:,}", start)
        self._check_tag(response)
        return self._take(response, end - start, start)

    def _check_tag(self, response: http.client.HTTPResponse) -> None:
        tag = response.getheader("ETag") or response.getheader("Last-Modified") or ""
        if self.tag is not None and tag != self.tag:
            raise UnreadableFileError(self.label, "it changed while it was read")
        self.tag = tag

    def _why(self, response: http.client.HTTPResponse) -> str:
        """Return what a hub says beside the status."""
        text = response.getheader("X-Error-Message") if self.private is not None else None
        return f": {without_secrets(text)[:200]}" if text else ""

    def _all(self, response: http.client.HTTPResponse) -> bytes:
        """Take a whole file for the answer: a hub sends its small ones so, if it likes."""
        told = response.getheader("Content-Length") or ""
        length = int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else None
        if (
            length is None
            or length > _WHOLE
            or response.getheader("Content-Encoding", "identity") != "identity"
        ):
            raise self._refused("the server answers a range request with the whole file (200)", 0)
        self.budget.spend(self.label, length)
        self._check_tag(response)
        self.size, self.whole = length, self._take(response, length, 0)
        return self.whole

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
            raise self._refused("the server sends more than was requested", start)
        return b"".join(parts)

    def _refused(self, reason: str, start: int) -> UnreadableFileError:
        return UnreadableFileError(
            self.label,
            f"the server does not support range requests: {reason}",
            offset=start,
            hint="copy the file to this machine first",
        )
