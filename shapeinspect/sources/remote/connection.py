"""One connection to a web server, through the proxy that the environment names."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen

#: Seconds that a server may be silent, and that one request may take.
TIMEOUT, DEADLINE = 20.0, 120.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy between this machine and a web server.

    Args:
        host: its name.
        port: its port.
        headers: the headers for the proxy alone: its user name and password.
    """

    host: str
    port: int
    headers: Frozen[str] = field(default=Frozen(), repr=False)

    @classmethod
    def of(cls, url: SplitResult) -> Proxy | None:
        """Return the proxy for an address, or None.

        Args:
            url: the address.

        Raises:
            UsageError: if the environment names a proxy that is not an HTTP proxy.

        Source: ``urllib.request.getproxies``: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and
        ``NO_PROXY``, also in lower case, and the system's settings.
        """
        from urllib.request import getproxies, proxy_bypass

        proxies = getproxies()
        named = proxies.get(url.scheme) or proxies.get("all")
        if not named or proxy_bypass(url.netloc):
            return None
        try:
            parts = urlsplit(named if "://" in named else f"http://{named}")
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host, port, parts = None, 0, urlsplit("")
        if not host or parts.scheme != "http":
            raise UsageError(
                f"the proxy for {url.scheme} addresses cannot be used",
                expected="the http:// address of a proxy",
                where=f"{url.scheme.upper()}_PROXY in the environment, or the system's settings",
            )
        if parts.username is None:
            return cls(host, port)
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = base64.b64encode(user.encode()).decode()
        return cls(host, port, Frozen({"Proxy-Authorization": f"Basic {token}"}))


def _connect(url: SplitResult, proxy: Proxy | None) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    if proxy is None:
        return kind(url.hostname or "", url.port, timeout=TIMEOUT)
    connection = kind(proxy.host, proxy.port, timeout=TIMEOUT)
    if url.scheme == "https":
        connection.set_tunnel(url.hostname or "", url.port or 443, headers=proxy.headers)
    return connection


class Connection:
    """The open connections, one to each host, used one at a time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], http.client.HTTPConnection] = {}
        self._to: tuple[str, str] = ("", "")
        self._late = False

    @contextmanager
    def deadline(self, left: float) -> Iterator[None]:
        """End a request that takes too long, however busy the server seems.

        Args:
            left: the seconds that all requests may still take.

        Raises:
            TimeoutError: if it took longer than that, or than ``DEADLINE`` seconds.
        """

        def end() -> None:
            self._late = True
            held = self._kept.get(self._to)
            if held is not None and held.sock is not None:
                with suppress(OSError):
                    held.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(min(DEADLINE, left), end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if self._late:
                raise TimeoutError

    def get(self, url: SplitResult, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send a request; repeat it once where the server has closed a kept connection.

        Args:
            url: the address.
            headers: the headers of the request.
        """
        self._to = (url.scheme, url.netloc)
        kept = self._to in self._kept
        try:
            return self._get(url, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            if not kept or self._late:
                raise
            return self._get(url, headers)

    def _get(self, url: SplitResult, headers: dict[str, str]) -> http.client.HTTPResponse:
        proxy = Proxy.of(url)
        held = self._kept.get(self._to)
        if held is None:
            held = self._kept[self._to] = _connect(url, proxy)
        target = url.path + (f"?{url.query}" if url.query else "")
        if proxy is not None and url.scheme == "http":
            # Without TLS a proxy gets the whole address; with TLS it only forwards bytes.
            target = f"http://{url.netloc}{target}"
            headers = {**headers, **proxy.headers}
        held.request("GET", target, headers=headers)
        return held.getresponse()

    def close(self) -> None:
        """Close the connection that was used last."""
        held = self._kept.pop(self._to, None)
        if held is not None:
            held.close()
