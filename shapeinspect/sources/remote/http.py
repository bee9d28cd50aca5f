"""Ranges over HTTP, strictly: exactly the requested bytes, from the host that was named.

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
from shapeinspect.frozen import Frozen
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
#: The largest file that a hub may send whole in response to a range: an index, a configuration.
_WHOLE = 16 << 20
#: The browser's address of a model on Hugging Face.
_HUB_FILE = re.compile(r"/((?:datasets/)?[\w.-]+/[\w.-]+)/(?:resolve|blob)/([\w.-]+)/(.+)")
#: The hint where the hub denies access.
HUB = "set HF_TOKEN (huggingface.co/settings/tokens), and accept the model's conditions on its page"


def from_http(url: str) -> Source:
    """Look at a file on a web server.

    Args:
        url: its address.

    Raises:
        UsageError: if the file does not exist, or the address is invalid.
        UnreadableFileError: if the server does not answer a range request correctly.
    """
    return WebFile(_split(url), Connection(), Budget()).source()


def on_hub(url: str, name: str, headers: Mapping[str, str], connection: Connection, budget: Budget) -> Blocks:
    """Return the blocks of a file whose host may redirect to another host for its bytes.

    Args:
        url: its address on the hub.
        name: how errors name it.
        headers: the headers of every request to the hub alone: the user's credentials.
        connection: the connections.
        budget: the requests and bytes that may still be spent.
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
    """Return a hint how to read a file that is redirected to another host.

    Args:
        url: the requested address.
    """
    match = _HUB_FILE.fullmatch(unquote(url.path)) if url.hostname in ("huggingface.co", "hf.co") else None
    if match is None:
        return "if you trust that host, use the file's address there; or copy it to this machine"
    revision = "" if match[2] == "main" else f"@{match[2]}"
    return f"hf://{match[1]}{revision}/{match[3]}"


@dataclass
class WebFile:
    """One address, and the place to which its host redirects.

    Args:
        url: the address.
        connection: the connections.
        budget: the requests and bytes that may still be spent.
        private: headers for that host alone; with them, redirects to other hosts are followed.
        shown: how errors name the file; its address without the query by default.
        tag: the version of the file that has been read so far.
        size: its size, as soon as the server has sent it.
        moved: the target of the host's redirect.
        whole: the content, where a hub has sent all of it.
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
        # A query may be a signature, which must not be shown.
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
        """Request one range and accept nothing else."""
        if self.whole is not None:
            return self.whole[start:end]
        complete = False
        try:
            with self.budget.clock(self.label), self.connection.deadline(self.budget.left):
                response = self._ask(start, end)
                data = self._body(response, start, end)
            complete = response.isclosed()  # nothing is left to read
            return data
        except TimeoutError:
            raise UnreadableFileError(
                self.label, f"the server sent nothing for {TIMEOUT:.0f} s, or took over {DEADLINE:.0f} s"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = without_secrets(str(error)) or type(error).__name__
            raise UnreadableFileError(self.label, f"the request failed: {reason}") from None
        finally:
            if not complete:
                self.connection.close()

    def _ask(self, start: int, end: int) -> http.client.HTTPResponse:
        known = self.moved is not None
        response = self._follow(start, end)
        if known and response.status in _NOT_ALLOWED:
            # The redirect of earlier ranges may have been signed for minutes only.
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
            url = self.moved or self.url
            own = self.private if self.private and _host(url) == _host(self.url) else {}
            response = self.connection.get(url, {**headers, **own})
            if response.status not in _MOVED:
                return response
            target = response.getheader("Location") or ""
            response.read(_PIECE)
            if not response.isclosed():  # the redirect has a long body
                self.connection.close()
            self.moved = self._target(url, target)
        raise UnreadableFileError(self.label, f"the server redirects more than {_REDIRECTS} times")

    def _target(self, url: SplitResult, target: str) -> SplitResult:
        """Return the target of a redirect: the same host, or any host where a hub redirects."""
        try:
            parts = _split(urljoin(urlunsplit(url), target))
        except (UsageError, ValueError):
            raise UnreadableFileError(self.label, "the server redirects without an address") from None
        if _host(parts) == _host(self.url):
            return parts
        host = f"{parts.scheme}://{parts.netloc}"
        if self.private is None:
            raise UnreadableFileError(
                self.label,
                f"the server redirects to {host}; redirects to other hosts are not followed",
                hint=redirect_hint(self.url),
            )
        if parts.scheme not in ("http", "https") or (self.url.scheme == "https" != parts.scheme):
            raise UnreadableFileError(self.label, f"the server redirects to {host}, which is not encrypted")
        return parts

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
        content_range = response.getheader("Content-Range") or ""
        if response.status == 416 and start == 0 and _EMPTY.fullmatch(content_range):
            self.size = 0
            return b""
        if response.status == 200 and self.private is not None:
            return self._all(response)[start:end]
        if response.status == 200:
            raise self._refused("the server sends the whole file (200)", start)
        if response.status != 206:
            raise self._refused(f"the server answers {response.status} {response.reason}", start)
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise self._refused("the response is compressed", start)
        end = self._checked(content_range, start, end)
        length = response.getheader("Content-Length")
        if length is not None and length != str(end - start):
            raise self._refused(f"the server announces {length} bytes for a range of {end - start:,}", start)
        self._check_tag(response)
        return self._take(response, end - start, start)

    def _check_tag(self, response: http.client.HTTPResponse) -> None:
        tag = response.getheader("ETag") or response.getheader("Last-Modified") or ""
        if self.tag is not None and tag != self.tag:
            raise UnreadableFileError(self.label, "it changed while it was read")
        self.tag = tag

    def _why(self, response: http.client.HTTPResponse) -> str:
        """Return a hub's own error message, as the end of a sentence."""
        text = response.getheader("X-Error-Message") if self.private is not None else None
        return f": {without_secrets(text)[:200]}" if text else ""

    def _all(self, response: http.client.HTTPResponse) -> bytes:
        """Accept a whole file: a hub may send its small files like this."""
        header = response.getheader("Content-Length") or ""
        length = int(header) if header.isascii() and header.isdecimal() and len(header) < 20 else None
        if (
            length is None
            or length > _WHOLE
            or response.getheader("Content-Encoding", "identity") != "identity"
        ):
            raise self._refused("the server sends the whole file (200)", 0)
        self.budget.spend(self.label, length)
        self._check_tag(response)
        self.size, self.whole = length, self._take(response, length, 0)
        return self.whole

    def _checked(self, content_range: str, start: int, end: int) -> int:
        """Check the Content-Range, and return where the range ends."""
        match = _CONTENT_RANGE.fullmatch(content_range)
        if match is None:
            raise self._refused(f"the response has the Content-Range {content_range!r}", start)
        first, last, size = (int(number) for number in match.groups())
        if self.size is not None and size != self.size:
            raise self._refused(f"the file's size is {size:,} bytes, and was {self.size:,} before", start)
        if first != start or last + 1 != min(end, size):
            raise self._refused(f"the server sends bytes {first:,} to {last:,} of {size:,} instead", start)
        self.size = size
        return last + 1

    def _take(self, response: http.client.HTTPResponse, count: int, start: int) -> bytes:
        parts, missing = [], count
        while missing:
            part = response.read1(min(missing, _PIECE))
            if not part:
                raise self._refused(f"the response ends after {count - missing:,} of {count:,} bytes", start)
            parts.append(part)
            missing -= len(part)
        if response.read(1):  # of a chunked response, which has no Content-Length
            raise self._refused("the server sends more than was requested", start)
        return b"".join(parts)

    def _refused(self, reason: str, start: int) -> UnreadableFileError:
        return UnreadableFileError(
            self.label,
            f"range request failed: {reason}",
            offset=start,
            hint="copy the file to this machine first",
        )
