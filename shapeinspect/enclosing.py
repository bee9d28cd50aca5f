"""Which of the graphs inside nodes a layer stands in, by its path."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator


class Bodies:
    """The paths of bodies, looked up along the path of a layer in time that grows with its length.

    Check sums of what stands before each slash are built upon one another; looking up each as a text of its
    own would take the square of the length.

    Args:
        paths: the paths of the bodies.

    Example:
        >>> bodies = Bodies({"loop/body", "if/then", "loop/body/if/then"})
        >>> list(bodies.around("loop/body/if/then/Add"))
        ['loop/body', 'loop/body/if/then']
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: dict[tuple[int, int], list[str]] = {}
        for path in dict.fromkeys(paths):
            data = _encoded(path)
            self._paths.setdefault((len(data), zlib.crc32(data)), []).append(path)

    def around(self, path: str) -> Iterator[str]:
        """Yield the bodies that contain a layer, from the outermost.

        Args:
            path: the layer's path.
        """
        if not self._paths:
            return
        data = _encoded(path)
        start, check = 0, 0
        slash = data.find(b"/")
        while slash >= 0:
            check = zlib.crc32(data[start:slash], check)
            for body in self._paths.get((slash, check), ()):
                if path.startswith(body):
                    yield body
            start, slash = slash, data.find(b"/", slash + 1)


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")
